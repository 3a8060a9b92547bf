-- The account of the caller.  $1 bytea: sha256 of the key's text.  Returns id, username, role, bio, stored password, and when the key
-- ends, in Unix seconds or NULL; no row for a key without an account.  Index: account_pkey.
SELECT a.id, a.username, a.role, a.bio, a.password, exedra.epoch(exedra.key_ends($1::bytea)) AS ends FROM exedra.account a
 WHERE a.tenant_id = (SELECT exedra.tenant_id()) AND a.id = (SELECT exedra.account_id());
