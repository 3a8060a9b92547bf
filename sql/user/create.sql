-- Make an account.  $1 text: username; $2 text: password, hashed; $3 smallint: role; $4 text: bio; $5 int: questions a day or NULL.
-- Returns it as JSON, or no row when the name is taken.  Index: account_tenant_id_username_key.
-- Notes an event.
SELECT exedra.json_user(a) FROM exedra.new_account($1::text, $2::text, $3::smallint, $4::text, $5::int) a WHERE a.id IS NOT NULL;
