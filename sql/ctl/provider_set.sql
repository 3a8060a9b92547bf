-- $1 bigint: tenant; $2 text: name; $3 text: url; $4 text: sealed key, hexadecimal, or NULL; $5 text: model or NULL;
-- $6 int: context in tokens or NULL; $7 boolean: preferred; $8 text: kind.  Returns the provider's id.
SELECT exedra.set_provider($1::bigint, $2::text, $8::text, $3::text, decode($4::text, 'hex'), $5::text, $6::int, $7::boolean);
