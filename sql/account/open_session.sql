-- A session.  $1 bigint: tenant; $2 bigint: account; $3 text: stored password that was compared; $4 bytea: sha256 of its text;
-- $5 int: seconds.  Returns when it ends, in Unix seconds; NULL when the password or the account is not there any more.
-- Run without a tenant.
-- Notes an event.
SELECT exedra.epoch(exedra.open_session($1::bigint, $2::bigint, $3::text, $4::bytea, $5::int)) AS ends;
