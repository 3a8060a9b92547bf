-- Put a question on record and read all that answering it needs.
-- $1 text: workspace slug; $2 text: question; $3 text: mode or NULL for the workspace's; $4 text: sessionId or NULL;
-- $5 json: attachments; $6 text: origin; $7 uuid: ticket; $8 text: worker.
-- Returns one row, or none when there is no such workspace: ids, the workspace's settings, the history of the caller's
-- partition as a JSON array of [question, answer], newest first, and whether the workspace has any passage.
-- Indexes: workspace_tenant_id_slug_key; chat_partition or chat_account, backwards; chunk_tenant_id_version_id_no_key.
WITH w AS (
    SELECT * FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
), opened AS (
    INSERT INTO exedra.chat (tenant_id, workspace_id, api_session_id, account_id, origin, mode, prompt, attachments, ticket, worker)
    SELECT w.tenant_id, w.id, $4::text, exedra.account_id(), $6::text, coalesce($3::text, w.chat_mode), $2::text,
           $5::json, $7::uuid, $8::text FROM w
    RETURNING id, account_id
)
SELECT w.tenant_id, o.id AS chat_id, w.id AS workspace_id, w.name, w.slug, w.prompt, w.temperature, w.top_n,
       w.similarity_threshold, w.chat_provider, w.chat_model, w.refusal, coalesce($3::text, w.chat_mode) AS mode,
       o.account_id,
       (SELECT a.username FROM exedra.account a WHERE a.tenant_id = w.tenant_id AND a.id = o.account_id) AS username,
       (SELECT a.bio FROM exedra.account a WHERE a.tenant_id = w.tenant_id AND a.id = o.account_id) AS bio,
       (SELECT exedra.json_array(string_agg(json_build_array(h.prompt, h.answer)::text, ',' ORDER BY h.id DESC)) FROM (
            (SELECT c.id, c.prompt, c.answer FROM exedra.chat c
              WHERE (SELECT exedra.account_id()) IS NULL AND c.account_id IS NULL
                AND c.tenant_id = w.tenant_id AND c.workspace_id = w.id AND coalesce(c.thread_id, 0) = 0
                AND coalesce(c.api_session_id, '') = coalesce($4::text, '')
                AND c.include AND c.answer IS NOT NULL AND c.state IN ('done', 'stopped')
              ORDER BY c.id DESC LIMIT CASE w.history_length WHEN 0 THEN 20 ELSE w.history_length END)
            UNION ALL
            (SELECT c.id, c.prompt, c.answer FROM exedra.chat c
              WHERE c.account_id = (SELECT exedra.account_id())
                AND c.tenant_id = w.tenant_id AND c.workspace_id = w.id AND coalesce(c.thread_id, 0) = 0
                AND coalesce(c.api_session_id, '') = coalesce($4::text, '')
                AND c.include AND c.answer IS NOT NULL AND c.state IN ('done', 'stopped')
              ORDER BY c.id DESC LIMIT CASE w.history_length WHEN 0 THEN 20 ELSE w.history_length END)) h) AS history,
       EXISTS (SELECT FROM exedra.workspace_document l
                 JOIN exedra.document d ON (d.tenant_id, d.id) = (l.tenant_id, l.document_id)
                 JOIN exedra.chunk k ON (k.tenant_id, k.version_id) = (d.tenant_id, d.version_id)
                WHERE l.tenant_id = w.tenant_id AND l.workspace_id = w.id) AS has_passages
  FROM w, opened o;
