-- Take back a document that could not be written to its end.  $1 bigint: document.  Returns nothing.  Index: document_pkey.
DELETE FROM exedra.document d
 WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = $1::bigint AND d.version_id IS NULL;
