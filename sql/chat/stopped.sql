-- Which of this process's open chats are to end: their key, account or tenant is shut or deleted, or (gone) the chat
-- itself is no longer there or open.  $1 bigint[]: tenants; $2 bigint[]: chats; $3 text[]: sha256 of the keys, hexadecimal; in step.
-- Returns their places, from 1; a chat may be named twice, as gone first.  Run without a tenant.
SELECT s.place, s.gone FROM exedra.stopped_chats($1::bigint[], $2::bigint[], $3::text[]) s ORDER BY s.gone DESC;
