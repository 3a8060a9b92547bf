-- All chats of the tenant, the newest first.  $1 bigint: how many to pass over; $2 bigint: how many at most.
-- Returns one row: a JSON array, and whether there are more.  Indexes: chat_pkey, workspace_pkey, account_pkey.
WITH page AS MATERIALIZED (
    SELECT c, row_number() OVER (ORDER BY c.id DESC) - $1::bigint AS no
      FROM exedra.chat c WHERE c.tenant_id = (SELECT exedra.tenant_id()) AND c.embed_id IS NULL
     ORDER BY c.id DESC OFFSET $1::bigint LIMIT $2::bigint + 1
)
SELECT exedra.json_array(string_agg(exedra.json_chat_row(p.c, w.name, w.slug)::text, ',' ORDER BY p.no) FILTER (WHERE p.no <= $2::bigint)) AS page,
       count(*) > $2::bigint AS more
  FROM page p LEFT JOIN exedra.workspace w ON w.tenant_id = (SELECT exedra.tenant_id()) AND w.id = (p.c).workspace_id;
