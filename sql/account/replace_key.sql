-- The caller's own key.  $1 bytea: sha256 of its text, or NULL for none; $2 text: its end.  Returns false for a caller without an account.
-- Notes an event.
SELECT exedra.replace_key($1::bytea, $2::text) AS done;
