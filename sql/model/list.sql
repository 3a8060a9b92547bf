-- The workspaces that the caller sees, as models.  $1 text: who owns those that name no provider.
-- Returns one row: the members of a JSON array, or NULL.  Index: workspace_pkey.
SELECT string_agg(exedra.json_model(w, $1::text)::text, ',' ORDER BY w.id)
  FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id());
