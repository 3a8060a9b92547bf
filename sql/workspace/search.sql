-- How a workspace is searched unless the caller says otherwise.  $1 text: slug.  Returns id, top_n, threshold, or no row.
-- Index: workspace_tenant_id_slug_key.
SELECT w.id, w.top_n, w.similarity_threshold AS threshold
  FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text;
