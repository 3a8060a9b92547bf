-- $1 text: tenant; $2 text: username.
SELECT exedra.delete_account($1::text, $2::text);
