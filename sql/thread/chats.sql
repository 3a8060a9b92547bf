-- The history of a thread, of all accounts the caller sees.  $1 text: workspace slug; $2 text: thread slug.
-- Returns a JSON array of history items; NULL when there is no such thread; no row when there is no such workspace.
-- Indexes: workspace_tenant_id_slug_key, thread_tenant_id_slug_key, chat_partition.
SELECT CASE WHEN t.id IS NOT NULL THEN exedra.json_array((
           SELECT string_agg(exedra.json_history(c), ',' ORDER BY c.recency DESC)
             FROM exedra.chat c
            WHERE c.tenant_id = w.tenant_id AND c.workspace_id = w.id AND c.conversation = exedra.conversation(t.id, NULL)
              AND c.include AND c.answer IS NOT NULL AND c.state IN ('done', 'stopped'))) END
  FROM exedra.workspace w
  LEFT JOIN exedra.thread t ON t.tenant_id = (SELECT exedra.tenant_id()) AND t.slug = $2::text AND t.workspace_id = w.id
 WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text;
