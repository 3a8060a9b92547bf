-- What readers of Open WebUI's API see of the documents that passages come from.  $1 bigint[]: documents.
-- Returns id, the name of its file, JSON.  Indexes: document_pkey, file_pkey, document_version_pkey.
SELECT d.id, f.name AS origin, exedra.json_origin(d, f) AS meta
  FROM exedra.document d
  JOIN exedra.file f ON f.tenant_id = (SELECT exedra.tenant_id()) AND f.id = d.file_id
 WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = ANY ($1::bigint[]);
