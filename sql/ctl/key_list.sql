-- $1 text: tenant.  Returns id, the key's end, account, role, label, since when, until when, since when suspended, last use, whether it only
-- reads, groups, workspaces, networks.  Empty workspaces are none any more; NULL is all.
SELECT k.id, k.hint, k.account, k.role, nullif(k.label, ''), exedra.iso(k.created_at), exedra.iso(k.expires_at), exedra.iso(k.suspended_at),
       exedra.iso(date_trunc('minute', k.used_at)), k.read_only, k.groups, k.workspaces, k.addresses
  FROM exedra.list_keys($1::text) k;
