-- The workspaces that hold a document: one that shows a version, or is given itself, by id or external id; all that are not asked
-- for are NULL.  $1 bigint: version; $2 bigint: document; $3 text: external id.  Returns workspace_id, each once.
-- Indexes: document_version_used, document_pkey, document_tenant_id_external_id_key, workspace_document_document.
SELECT DISTINCT l.workspace_id
  FROM (SELECT d.id FROM exedra.document d WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.version_id = $1::bigint
        UNION ALL
        SELECT d.id FROM exedra.document d WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = $2::bigint
        UNION ALL
        SELECT d.id FROM exedra.document d WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.external_id = $3::text) d,
       LATERAL (SELECT l.workspace_id FROM exedra.workspace_document l
                 WHERE l.tenant_id = (SELECT exedra.tenant_id()) AND l.document_id = d.id OFFSET 0) l
 ORDER BY l.workspace_id;
