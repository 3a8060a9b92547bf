-- $1 text: tenant; $2 text: username.
SELECT exedra.suspend_account($1::text, $2::text);
