-- $1 text: tenant.  Returns whose limit (account, key; neither: the tenant's), kind, how much, how much of it is used.
SELECT l.account, l.key, l.kind, l.most, l.used FROM exedra.list_limits($1::text) l;
