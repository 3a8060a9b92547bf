-- $1 text: tenant.  Returns id, account, role, since when, until when.
SELECT s.id, s.account, s.role, exedra.iso(s.created_at), exedra.iso(s.expires_at) FROM exedra.list_sessions($1::text) s;
