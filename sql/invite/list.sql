-- The invites of the tenant.  Returns one row: a JSON array.  Index: invite_tenant.
SELECT exedra.list_invites();
