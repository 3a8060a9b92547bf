-- $1 text: tenant; $2 text: kind; $3 text: username or NULL; $4 text: a key's id or NULL.
SELECT exedra.set_limit($1::text, $2::text, NULL, $3::text, $4::bigint);
