-- $1 text: tenant; $2 text: username.
SELECT exedra.resume_account($1::text, $2::text);
