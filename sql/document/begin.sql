-- Begin to write a document that nobody sees yet.  $1 uuid: its id; $2 text: folder; $3 text: file name; $4 title; $5 url;
-- $6 author; $7 description; $8 source; $9 chunk source; $10 published; $11 bigint: words; $12 bigint: tokens.
-- Returns document, version and text search configuration: one row.
WITH d AS (
    INSERT INTO exedra.document (tenant_id, uuid, folder, name, title, url, author, description, source, chunk_source,
           published, word_count, token_estimate, language)
    SELECT exedra.tenant_id(), $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text,
           $10::text, $11::bigint, $12::bigint,
           coalesce((SELECT s.value FROM exedra.setting s
                      WHERE s.tenant_id = (SELECT exedra.tenant_id()) AND s.name = 'language'), 'simple')
    RETURNING tenant_id, id, language
)
INSERT INTO exedra.document_version (tenant_id, document_id) SELECT d.tenant_id, d.id FROM d
RETURNING document_id, id AS version_id, (SELECT d.language FROM d);
