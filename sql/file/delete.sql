-- Delete a file with its documents.  $1 bigint: file.  Returns its id, or no row.  Index: file_pkey.
DELETE FROM exedra.file f WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.id = $1::bigint RETURNING f.id;
