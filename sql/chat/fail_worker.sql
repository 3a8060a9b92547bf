-- End the open chats of a worker that is gone ($1 text: its name; or one chat, by its ticket), or of all pools of a node ($2 text) but one ($3 text);
-- the others NULL.  Returns how many.  Run without a tenant.
SELECT exedra.fail_chats($1::text, $2::text, $3::text) AS n;
