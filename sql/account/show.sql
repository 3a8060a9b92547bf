-- The account of the caller.  Returns id, username, role, bio, stored password, or no row for a key without an account.
-- Index: account_pkey.
SELECT a.id, a.username, a.role, a.bio, a.password FROM exedra.account a
 WHERE a.tenant_id = (SELECT exedra.tenant_id()) AND a.id = (SELECT exedra.account_id());
