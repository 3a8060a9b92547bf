-- One file.  $1 uuid.  Returns id, name, content type, state, status, reason, size, whether the caller may change it, whether an
-- administrator handed it in, whether its bytes are here, head, tail, or no row.  Indexes: file_tenant_id_uuid_key, account_pkey, workspace_file_pkey,
-- document_file, workspace_document_document, workspace_pkey.
SELECT f.id, f.uuid, f.name, f.content_type, f.state, exedra.file_status(f.state) AS status, f.reason, f.size,
       exedra.is_manager() OR f.account_id = exedra.account_id() AS writable,
       f.account_id IS NULL OR EXISTS (SELECT FROM exedra.account a
                                        WHERE a.tenant_id = f.tenant_id AND a.id = f.account_id AND a.role = 30) AS by_admin,
       f.sha256 IS NOT NULL AS has_bytes,
       exedra.file_head(f) AS head, exedra.file_tail(f, exedra.file_collection(f)) AS tail, f.state = 'done' AS readable
  FROM exedra.file f
 WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.uuid = $1::uuid AND f.state <> 'receiving';
