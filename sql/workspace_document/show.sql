-- A workspace with its documents and how much of them a model is shown at all times.  $1 text: slug.
-- Returns JSON, or no row.  Indexes: workspace_tenant_id_slug_key, workspace_document by workspace.
SELECT exedra.json_extend(exedra.json_workspace(w),
       '"documents":' || exedra.json_array(l.documents) || ',"contextWindow":null,"currentContextTokenCount":' || l.pinned_tokens)
  FROM exedra.workspace w,
       LATERAL (SELECT string_agg(exedra.json_workspace_document(l, d)::text, ',' ORDER BY l.id) AS documents,
                       coalesce(sum(d.token_estimate) FILTER (WHERE l.pinned), 0) AS pinned_tokens
                  FROM exedra.workspace_document l
                  JOIN exedra.document d ON (d.tenant_id, d.id) = (l.tenant_id, l.document_id)
                 WHERE l.tenant_id = w.tenant_id AND l.workspace_id = w.id) l
 WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text;
