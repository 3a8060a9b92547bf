-- End the open chats of workers that are gone.  $1 text[]: their names; $2 text: this node, or NULL; $3 bigint: with a node,
-- every chat of its workers opened more than so many milliseconds ago.  Returns how many.  Run without a tenant.
SELECT exedra.fail_chats($1::text[], $2::text, $3::bigint) AS n;
