-- What became of reading a file.  $1 bigint: file; $2 text: done or failed (or pending, to have it read once more); $3 text: why
-- not, or NULL.  Returns the file's id, or no row when it is gone.  Indexes: file_pkey, document_file.
UPDATE exedra.file f SET state = $2::text::exedra.file_state, reason = $3::text, changed_at = now(),
       n_documents = CASE $2::text WHEN 'done' THEN (
           SELECT count(*) FROM exedra.document d WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.file_id = f.id) END
 WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.id = $1::bigint RETURNING f.id;
