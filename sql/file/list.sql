-- Files that the caller sees, the newest first.  $1 text: a pattern as LIKE has it for the name, or NULL; $2 bigint: how many at
-- most; $3 bigint: how many to pass over.  Returns id, head, tail (the object before and behind its text), whether there is a text.
-- Indexes: file_pkey, workspace_file_pkey, document_file, workspace_document_document, workspace_pkey.
SELECT f.id, exedra.file_head(f) AS head, exedra.file_tail(f, exedra.file_collection(f)) AS tail, f.state = 'done' AS readable
  FROM exedra.file f
 WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.state <> 'receiving' AND ($1::text IS NULL OR lower(f.name) LIKE lower($1::text))
 ORDER BY f.id DESC LIMIT $2::bigint OFFSET $3::bigint;
