-- Passages that the earlier answers of an open chat's conversation were based on, newest first.  $1 bigint: chat;
-- $2 int: how many chats to look back; $3 int: how many passages at most.  None of a document that is pinned now: title and date tell.
-- Returns source (JSON), title, the text under its header, score.
-- Indexes: chat_pkey, chat_partition, workspace_document_tenant_id_workspace_id_document_id_key, document_pkey.
SELECT s.source, s.source ->> 'title' AS title, s.source ->> 'text' AS cited, (s.source ->> 'score')::float8 AS score
  FROM exedra.chat me
 CROSS JOIN LATERAL (
       SELECT c.recency, c.sources FROM exedra.chat c
        WHERE c.tenant_id = (SELECT exedra.tenant_id()) AND c.workspace_id = me.workspace_id AND c.conversation = me.conversation
          AND c.account_id IS NOT DISTINCT FROM me.account_id AND c.include AND c.answer IS NOT NULL
          AND c.state IN ('done', 'stopped')
        ORDER BY c.recency LIMIT $2::int) c
 CROSS JOIN LATERAL json_array_elements(c.sources) WITH ORDINALITY s (source, no)
 WHERE me.tenant_id = (SELECT exedra.tenant_id()) AND me.id = $1::bigint
   AND json_typeof(s.source) = 'object' AND s.source ->> 'text' IS NOT NULL AND s.source ->> 'score' IS NOT NULL
   AND NOT EXISTS (SELECT FROM exedra.workspace_document l JOIN exedra.document d ON (d.tenant_id, d.id) = (l.tenant_id, l.document_id)
                    WHERE l.tenant_id = (SELECT exedra.tenant_id()) AND l.workspace_id = me.workspace_id AND l.pinned
                      AND d.title = s.source ->> 'title' AND d.published = s.source ->> 'published')
 ORDER BY c.recency, s.no LIMIT $3::int;
