-- Chats of the tenant for an export, by id.  $1 bigint: chat behind which to begin; $2 bigint: how many at most.
-- Returns id, workspace's id and name, prompt, answer, sources, attachments, when, who, rating.
-- Indexes: chat_pkey, workspace_pkey, account_pkey.
SELECT c.id, c.workspace_id, coalesce(w.name, 'deleted workspace') AS workspace, c.prompt, c.answer, c.sources, c.attachments,
       exedra.iso(c.created_at) AS sent_at, to_char(c.created_at AT TIME ZONE 'UTC', 'Dy Mon DD YYYY HH24:MI:SS') AS sent_text,
       exedra.asker(c) AS username, CASE c.feedback WHEN true THEN 'GOOD' WHEN false THEN 'BAD' ELSE '--' END AS rating
  FROM exedra.chat c LEFT JOIN exedra.workspace w ON w.tenant_id = (SELECT exedra.tenant_id()) AND w.id = c.workspace_id
 WHERE c.tenant_id = (SELECT exedra.tenant_id()) AND c.id > $1::bigint AND c.embed_id IS NULL AND c.answer IS NOT NULL AND c.state IN ('done', 'stopped')
 ORDER BY c.id LIMIT $2::bigint;
