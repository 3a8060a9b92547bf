-- A session.  $1 bigint: tenant; $2 bigint: account; $3 bytea: sha256 of its text; $4 int: seconds.  Returns when it ends, in Unix seconds.
-- Run without a tenant.
-- Notes an event.
SELECT exedra.epoch(exedra.open_session($1::bigint, $2::bigint, $3::bytea, $4::int)) AS ends;
