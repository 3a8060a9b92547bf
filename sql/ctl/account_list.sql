-- $1 text: tenant.  Returns id, name, role, since when, since when suspended.
SELECT a.id, a.username, a.role, exedra.iso(a.created_at), exedra.iso(a.suspended_at) FROM exedra.list_accounts($1::text) a;
