-- $1 text: tenant; $2 text: name.
SELECT exedra.delete_provider($1::text, $2::text);
