-- $1 text: tenant.  Returns name, kind, url, whether it has a key, model, context, preferred.
SELECT p.* FROM exedra.list_providers($1::text) p;
