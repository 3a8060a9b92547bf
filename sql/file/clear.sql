-- Take away what was read in a file that is not done; the file itself stays.  $1 bigint: file.  Returns nothing.
-- Index: document_file.
DELETE FROM exedra.document d WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.file_id = $1::bigint;
