-- All tenants: name, since when, since when suspended.
SELECT t.name, exedra.iso(t.created_at), exedra.iso(t.suspended_at) FROM exedra.list_tenants() t;
