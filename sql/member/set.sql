-- Let exactly these accounts into a workspace.  $1 bigint: its id; $2 bigint[]: accounts.  Returns nothing when there is no such
-- workspace.  Indexes: workspace_pkey, workspace_account_pkey, account_pkey.
-- Notes an event.
SELECT exedra.set_members(w.id, $2::bigint[], true)
  FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.id = $1::bigint;
