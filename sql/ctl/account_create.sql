-- $1 text: tenant; $2 text: username; $3 text: role.  Returns the account's id.
SELECT exedra.create_account($1::text, $2::text, coalesce($3::text, 'default'));
