-- Put a question on record and read all that answering it needs.
-- $1 text: workspace slug; $2 text: question; $3 text: mode or NULL for the workspace's; $4 text: sessionId or NULL;
-- $5 json: attachments; $6 text: origin; $7 uuid: ticket; $8 text: worker; $9 text: thread slug or NULL;
-- $10 bigint: account to act as, or NULL (only who sees all may; an unknown one is nobody).
-- Returns one row, or none when there is no such workspace; thread_found is false, and nothing is put on record, when
-- there is no such thread.  Then: ids, settings, the provider the workspace names or the tenant prefers, the history of
-- the caller's partition as a JSON array of [question, answer], newest first, and whether there is any passage.
-- Indexes: workspace_tenant_id_slug_key, thread_tenant_id_slug_key, provider_tenant_id_name_key, provider_preferred,
-- chat_partition or chat_account, backwards; chunk_tenant_id_version_id_no_key.
WITH w AS MATERIALIZED (
    SELECT w.*, t.id AS thread_id, $9::text IS NULL OR t.id IS NOT NULL AS thread_found,
           CASE WHEN $10::bigint IS NULL OR NOT exedra.sees_all() THEN exedra.account_id()
                ELSE (SELECT a.id FROM exedra.account a WHERE a.tenant_id = (SELECT exedra.tenant_id()) AND a.id = $10::bigint)
                END AS who
      FROM exedra.workspace w
      LEFT JOIN exedra.thread t ON t.tenant_id = (SELECT exedra.tenant_id()) AND t.slug = $9::text AND t.workspace_id = w.id
     WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
), opened AS (
    INSERT INTO exedra.chat (tenant_id, workspace_id, thread_id, api_session_id, account_id, origin, mode, prompt, attachments,
           ticket, worker)
    SELECT w.tenant_id, w.id, w.thread_id, $4::text, w.who, $6::text, coalesce($3::text, w.chat_mode), $2::text, $5::json,
           $7::uuid, $8::text
      FROM w WHERE w.thread_found
    RETURNING id
)
SELECT w.thread_found, o.id AS chat_id, w.id AS workspace_id, w.name, w.prompt, w.temperature, w.top_n, w.chat_provider,
       w.chat_model, w.refusal, coalesce($3::text, w.chat_mode) AS mode, w.who AS account_id, a.username, a.bio,
       p.name AS provider_name, p.url AS provider_url, encode(p.sealed_key, 'hex') AS provider_key, p.model AS provider_model,
       p.context_tokens AS provider_context,
       (SELECT exedra.json_array(string_agg(json_build_array(h.prompt, h.answer)::text, ',' ORDER BY h.id DESC)) FROM (
            (SELECT c.id, c.prompt, c.answer FROM exedra.chat c
              WHERE w.who IS NULL AND c.account_id IS NULL
                AND c.tenant_id = w.tenant_id AND c.workspace_id = w.id AND coalesce(c.thread_id, 0) = coalesce(w.thread_id, 0)
                AND coalesce(c.api_session_id, '') = coalesce($4::text, '')
                AND c.include AND c.answer IS NOT NULL AND c.state IN ('done', 'stopped')
              ORDER BY c.id DESC LIMIT CASE w.history_length WHEN 0 THEN 20 ELSE w.history_length END)
            UNION ALL
            (SELECT c.id, c.prompt, c.answer FROM exedra.chat c
              WHERE c.account_id = w.who
                AND c.tenant_id = w.tenant_id AND c.workspace_id = w.id AND coalesce(c.thread_id, 0) = coalesce(w.thread_id, 0)
                AND coalesce(c.api_session_id, '') = coalesce($4::text, '')
                AND c.include AND c.answer IS NOT NULL AND c.state IN ('done', 'stopped')
              ORDER BY c.id DESC LIMIT CASE w.history_length WHEN 0 THEN 20 ELSE w.history_length END)) h) AS history,
       EXISTS (SELECT FROM exedra.workspace_document l
                 JOIN exedra.document d ON (d.tenant_id, d.id) = (l.tenant_id, l.document_id)
                 JOIN exedra.chunk k ON (k.tenant_id, k.version_id) = (d.tenant_id, d.version_id)
                WHERE l.tenant_id = w.tenant_id AND l.workspace_id = w.id) AS has_passages
  FROM w
  LEFT JOIN opened o ON true
  LEFT JOIN exedra.account a ON a.tenant_id = w.tenant_id AND a.id = w.who
  LEFT JOIN exedra.provider p ON p.tenant_id = w.tenant_id
        AND p.id = coalesce((SELECT q.id FROM exedra.provider q WHERE q.tenant_id = w.tenant_id AND q.name = w.chat_provider),
                            (SELECT q.id FROM exedra.provider q WHERE q.tenant_id = w.tenant_id AND q.preferred
                                                                  AND w.chat_provider IS NULL));
