-- Chats of an embed, by time.  $1 text: its address; $2 text: session, or NULL for all; $3 timestamptz, $4 bigint: the chat behind
-- which to begin; $5 bigint: how many at most.  Returns each as JSON, its time and id.  Indexes: embed_tenant_id_uuid_key, chat_embed.
SELECT exedra.json_embed_chat(c) AS chat, c.created_at, c.id
  FROM exedra.embed e
  JOIN exedra.chat c ON c.tenant_id = (SELECT exedra.tenant_id()) AND c.embed_id = e.id
 WHERE e.tenant_id = (SELECT exedra.tenant_id()) AND e.uuid = $1::text
   AND c.created_at >= $3::timestamptz AND (c.created_at > $3::timestamptz OR c.id > $4::bigint)
   AND ($2::text IS NULL OR c.api_session_id = $2::text) AND exedra.embed_keeps(c)
 ORDER BY c.created_at, c.id LIMIT $5::bigint;
