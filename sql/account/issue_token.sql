-- A token that signs somebody in.  $1 bigint: account; $2 bytea: sha256 of its text.  Returns done, unknown, off or single_user.
-- Index: sign_in_token_account.
-- Notes an event.
SELECT exedra.issue_token($1::bigint, $2::bytea) AS outcome;
