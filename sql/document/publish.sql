-- Show a document whose version is complete.  $1 bigint: document; $2 bigint: version; $3 int: its chunks.
-- Returns the document's id, or no row.  Index: document_pkey.
WITH v AS (
    UPDATE exedra.document_version v SET n_chunks = $3::int
     WHERE v.tenant_id = (SELECT exedra.tenant_id()) AND v.id = $2::bigint AND v.document_id = $1::bigint RETURNING v.id
)
UPDATE exedra.document d SET version_id = v.id FROM v
 WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = $1::bigint RETURNING d.id;
