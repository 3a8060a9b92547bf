-- The workspaces that the caller sees, as vector stores, by id.  Returns one row: their JSON with commas between them, the slug of the
-- first and of the last, or NULLs.  Indexes: workspace_pkey, workspace_document_tenant_id_workspace_id_document_id_key.
SELECT string_agg('{"id":' || to_json(w.slug) || ',"object":"vector_store","name":' || to_json(w.name) || ',"file_counts":{"total":'
                  || (SELECT count(*) FROM exedra.workspace_document l WHERE l.tenant_id = w.tenant_id AND l.workspace_id = w.id)
                  || '},"provider":"lancedb"}', ',' ORDER BY w.id) AS stores,
       (array_agg(to_json(w.slug)::text ORDER BY w.id))[1] AS first_id,
       (array_agg(to_json(w.slug)::text ORDER BY w.id DESC))[1] AS last_id
  FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id());
