-- What a session of an embed holds, oldest first.  $1 text: the embed's address; $2 text: session; $3 text: the page's origin, or NULL;
-- $4 boolean: whether an embed without a list is open; $5 bigint: how many chats at most.
-- Returns one row: a JSON array, and whether the page may read it.  Indexes: embed_tenant_id_uuid_key, chat_partition.
SELECT exedra.json_array((
           SELECT string_agg(exedra.json_visitor_history(c), ',' ORDER BY c.recency DESC) FROM (
                  SELECT * FROM exedra.chat c
                   WHERE c.tenant_id = (SELECT exedra.tenant_id()) AND c.workspace_id = e.workspace_id
                     AND c.conversation = exedra.embed_conversation(e, $2::text)
                     AND c.include AND c.answer IS NOT NULL AND c.state IN ('done', 'stopped')
                   ORDER BY c.recency LIMIT $5::bigint) c)) AS history,
       exedra.embed_lets(e, $3::text, $4::boolean) AS lets, e.origins IS NULL AS anywhere
  FROM exedra.embed e
 WHERE e.tenant_id = (SELECT exedra.tenant_id()) AND e.uuid = $1::text;
