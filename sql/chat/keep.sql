-- Keep what has come so far of the answers of this process's open chats.  $1 bigint[]: tenants; $2 bigint[]: chats; $3 uuid[]: their
-- tickets; $4 text[]: the answers; in step.  Returns nothing.  Indexes: open_chat_pkey, chat_pkey.  Run without a tenant.
SELECT exedra.keep_answers($1::bigint[], $2::bigint[], $3::uuid[], $4::text[]);
