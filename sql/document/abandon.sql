-- Take back a version that could not be written to its end.  $1 bigint: version.  Returns nothing.
-- Index: document_version_pkey.
DELETE FROM exedra.document_version v
 WHERE v.tenant_id = (SELECT exedra.tenant_id()) AND v.id = $1::bigint
   AND NOT EXISTS (SELECT FROM exedra.document d WHERE d.tenant_id = v.tenant_id AND d.version_id = v.id);
