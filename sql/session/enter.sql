-- Begin a transaction by key.  $1 bytea: sha256 of the key; $2 int: least role; $3 boolean: read only;
-- $4 int: schema version of the program; $5 text: tenant the web server named, or NULL; $6 text: the route's group; $7 text: the
-- client's address, or NULL.
-- One row: tenant, account, role, whether there are limits; raises EX401, EX403, EX503.  Index: credential_pkey.
-- Shares its transaction: what it sets holds until the next one enters.
SELECT tenant_id, account_id, role, limited
  FROM exedra.enter($1::bytea, $2::int, $3::boolean, $4::int, $5::text, $6::text, $7::text);
