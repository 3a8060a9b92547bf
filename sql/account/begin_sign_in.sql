-- Who signs in.  $1 text: tenant that the web server named, or NULL; $2 text: name.  Returns one row: tenant, account (NULL: none of that
-- name), stored password, role (-1: too many tries).  Raises EX400.  Run without a tenant.
-- Notes an event.
SELECT tenant_id, account_id, password, role FROM exedra.begin_sign_in($1::text, $2::text);
