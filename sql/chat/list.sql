-- The stored chats of a workspace's main conversation or of one API session, as history items.
-- $1 text: slug; $2 text: sessionId or NULL; $3 bigint: how many chats at most; $4 boolean: newest first.
-- Without a session: of all accounts the caller sees, without what was reset or refused; with one: the caller's own and
-- whole, as the original shows it.  Returns one row: a JSON array; none when there is no such workspace.
-- Index: chat_partition, backwards or forwards.
SELECT coalesce('[' || CASE WHEN $4::boolean
         THEN (SELECT string_agg(exedra.json_history(c), ',' ORDER BY c.recency) FROM (
                  SELECT * FROM exedra.chat c
                   WHERE c.tenant_id = w.tenant_id AND c.workspace_id = w.id AND c.conversation = exedra.conversation(NULL, $2::text)
                     AND ($2::text IS NULL OR c.account_id IS NOT DISTINCT FROM (SELECT exedra.account_id()))
                     AND (c.include OR $2::text IS NOT NULL) AND c.answer IS NOT NULL AND c.state IN ('done', 'stopped')
                   ORDER BY c.recency LIMIT $3::bigint) c)
         ELSE (SELECT string_agg(exedra.json_history(c), ',' ORDER BY c.recency DESC) FROM (
                  SELECT * FROM exedra.chat c
                   WHERE c.tenant_id = w.tenant_id AND c.workspace_id = w.id AND c.conversation = exedra.conversation(NULL, $2::text)
                     AND ($2::text IS NULL OR c.account_id IS NOT DISTINCT FROM (SELECT exedra.account_id()))
                     AND (c.include OR $2::text IS NOT NULL) AND c.answer IS NOT NULL AND c.state IN ('done', 'stopped')
                   ORDER BY c.recency DESC LIMIT $3::bigint) c)
         END || ']', '[]')
  FROM exedra.workspace w
 WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text;
