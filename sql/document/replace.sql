-- Let a document show another version, complete by now.  $1 bigint: document; $2 bigint: version; $3 int: its chunks;
-- $4 bigint: words; $5 bigint: tokens.  Returns the document's id, or no row.  Index: document_pkey.
WITH v AS (
    UPDATE exedra.document_version v SET n_chunks = $3::int
     WHERE v.tenant_id = (SELECT exedra.tenant_id()) AND v.id = $2::bigint RETURNING v.id
)
UPDATE exedra.document d SET version_id = v.id, word_count = $4::bigint, token_estimate = $5::bigint, changed_at = now() FROM v
 WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = $1::bigint RETURNING d.id;
