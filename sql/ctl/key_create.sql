-- $1 text: tenant; $2 text: username or NULL; $3 text: label or NULL; $4 text: seconds or NULL.  Returns the key.
SELECT exedra.create_key($1::text, $2::text, coalesce($3::text, ''), make_interval(secs => $4::float8));
