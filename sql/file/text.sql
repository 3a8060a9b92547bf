-- A part of the texts that were read in a file.  $1 bigint: file; $2 bigint: which, from 0.  Returns the text, and whether another
-- document begins with it, or no row behind the last.  Indexes: document_file, document_text_pkey.
SELECT t.text, t.no = 0 AS first
  FROM exedra.document d
  JOIN exedra.document_text t ON t.tenant_id = d.tenant_id AND t.version_id = d.version_id
 WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.file_id = $1::bigint
 ORDER BY d.id, t.no LIMIT 1 OFFSET $2::bigint;
