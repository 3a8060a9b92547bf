-- Sign in by a token.  $1 text: tenant that the web server named, or NULL; $2 bytea: sha256 of the token; $3 bytea: sha256 of the session's text;
-- $4 int: its seconds.  Returns done or unknown, and the account as JSON.  Run without a tenant.  Index: sign_in_token_pkey.
-- Notes an event.
SELECT outcome, account FROM exedra.redeem_token($1::text, $2::bytea, $3::bytea, $4::int);
