-- Which of this process's open chats are to end: their key, account, tenant or the chat itself is no longer there or
-- open.  $1 bigint[]: tenants; $2 bigint[]: chats; $3 text[]: sha256 of the keys, hexadecimal; in step.
-- Returns their places, from 1.  Run without a tenant.
SELECT s.place FROM exedra.stopped($1::bigint[], $2::bigint[], $3::text[]) s (place);
