-- Put a document into a workspace, which waits for its file no longer.  $1 bigint: workspace; $2 bigint: document.  Returns nothing.
-- Index: workspace_file_pkey.
WITH served AS (
    DELETE FROM exedra.workspace_file p USING exedra.document d
     WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = $2::bigint
       AND p.tenant_id = d.tenant_id AND p.file_id = d.file_id AND p.workspace_id = $1::bigint
)
INSERT INTO exedra.workspace_document (tenant_id, workspace_id, document_id)
VALUES (exedra.tenant_id(), $1::bigint, $2::bigint) ON CONFLICT (tenant_id, workspace_id, document_id) DO NOTHING;
