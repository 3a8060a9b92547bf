-- A workspace as a model.  $1 text: who owns it when it names no provider; $2 text: slug.
-- Returns JSON, or no row.  Index: workspace_tenant_id_slug_key.
SELECT exedra.json_model(w, $1::text)
  FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $2::text;
