-- $1 text: tenant; $2 text: the key's id.
SELECT exedra.change_key($1::text, $2::bigint, 'delete');
