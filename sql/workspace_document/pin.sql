-- Show a document of a workspace to models at all times, or no longer.  $1 text: slug; $2 text: folder; $3 text: file name;
-- $4 boolean.  Returns the id of the link, or no row.
-- Indexes: workspace_tenant_id_slug_key, document_tenant_id_folder_name_key, workspace_document_tenant_id_workspace_id_document_id_key.
UPDATE exedra.workspace_document l SET pinned = $4::boolean, changed_at = now()
  FROM (SELECT w.id AS workspace_id, d.id AS document_id
          FROM exedra.workspace w, exedra.document d
         WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
           AND d.tenant_id = (SELECT exedra.tenant_id()) AND d.folder = $2::text AND d.name = $3::text) x
 WHERE l.tenant_id = (SELECT exedra.tenant_id()) AND l.workspace_id = x.workspace_id AND l.document_id = x.document_id
RETURNING l.id;
