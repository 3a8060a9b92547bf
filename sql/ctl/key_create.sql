-- $1 text: tenant; $2 text: username or NULL; $3 text: label or NULL; $4 text: seconds or NULL; $5 boolean: only reads; lists with commas
-- or NULL: $6 text: groups; $7 text: workspaces; $8 text: networks.  Returns the key.
SELECT exedra.create_key($1::text, $2::text, coalesce($3::text, ''), make_interval(secs => $4::float8), coalesce($5::boolean, false),
                         string_to_array($6::text, ','), string_to_array($7::text, ','), string_to_array($8::text, ','));
