-- The documents that were read in a file, in their order.  $1 bigint: file.  Returns id, version, title, and the sha256 of its text.
-- Index: document_file.
SELECT d.id, d.version_id, d.title, encode(v.sha256, 'hex') AS hash
  FROM exedra.document d JOIN exedra.document_version v ON v.tenant_id = d.tenant_id AND v.id = d.version_id
 WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.file_id = $1::bigint ORDER BY d.id;
