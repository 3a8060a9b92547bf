-- Take a file out of a workspace, or with NULL all of them.  $1 bigint: workspace; $2 bigint: file or NULL.  Returns nothing.
-- Indexes: workspace_document_tenant_id_workspace_id_document_id_key, workspace_file_workspace.
-- Notes an event.
WITH waiting AS (
    DELETE FROM exedra.workspace_file p
     WHERE p.tenant_id = (SELECT exedra.tenant_id()) AND p.workspace_id = $1::bigint AND ($2::bigint IS NULL OR p.file_id = $2::bigint)
), gone AS (
    DELETE FROM exedra.workspace_document l USING exedra.document d
     WHERE l.tenant_id = (SELECT exedra.tenant_id()) AND l.workspace_id = $1::bigint
       AND d.tenant_id = l.tenant_id AND d.id = l.document_id AND ($2::bigint IS NULL OR d.file_id = $2::bigint) RETURNING l.id
)
SELECT exedra.note_event('workspace.reset', w.id, w.slug, json_build_object('n', (SELECT count(*) FROM gone)))
  FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.id = $1::bigint AND $2::bigint IS NULL;
