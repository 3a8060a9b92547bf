-- $1 text: tenant.  Returns name, kind, url, whether it has a key, model, context, preferred.
SELECT p.name, p.kind, p.url, p.has_key, nullif(p.model, ''), p.context_tokens, p.preferred FROM exedra.list_providers($1::text) p;
