-- The workspaces that the caller sees.  Returns their ids in order.  Index: workspace_pkey.
SELECT w.id FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) ORDER BY w.id;
