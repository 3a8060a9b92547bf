-- A workspace as a collection.  $1 text: slug; $2 boolean: with its files.  Returns id and JSON, or no row.
-- Indexes: workspace_tenant_id_slug_key, workspace_document_tenant_id_workspace_id_document_id_key, file_pkey.
SELECT w.id, exedra.json_knowledge(w, CASE WHEN $2::boolean THEN exedra.json_array((
           SELECT string_agg(exedra.file_head(f) || exedra.file_tail(f, w.slug) || '}', ',' ORDER BY f.id)
             FROM exedra.workspace_files(w.tenant_id, w.id) m
             JOIN exedra.file f ON f.tenant_id = w.tenant_id AND f.id = m.file_id)) ELSE 'null' END) AS knowledge
  FROM exedra.workspace w
 WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text;
