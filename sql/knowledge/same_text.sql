-- Does a workspace hold another file's document with the same text?  $1 bigint: workspace; $2 bigint: file.  Returns one row.
-- Indexes: document_file, workspace_document_tenant_id_workspace_id_document_id_key, document_pkey, document_version_pkey.
SELECT EXISTS (
    SELECT FROM exedra.workspace_document l
      JOIN exedra.document d ON d.tenant_id = l.tenant_id AND d.id = l.document_id AND d.file_id <> $2::bigint
      JOIN exedra.document_version v ON v.tenant_id = d.tenant_id AND v.id = d.version_id
      JOIN exedra.document mine ON mine.tenant_id = l.tenant_id AND mine.file_id = $2::bigint
      JOIN exedra.document_version w ON w.tenant_id = mine.tenant_id AND w.id = mine.version_id AND w.sha256 = v.sha256
     WHERE l.tenant_id = (SELECT exedra.tenant_id()) AND l.workspace_id = $1::bigint) AS found;
