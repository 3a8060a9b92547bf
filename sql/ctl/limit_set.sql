-- $1 text: tenant; $2 text: kind; $3 text: how much; $4 text: username or NULL; $5 text: a key's id or NULL.
SELECT exedra.set_limit($1::text, $2::text, $3::bigint, $4::text, $5::bigint);
