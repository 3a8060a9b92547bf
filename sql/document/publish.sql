-- Show a document whose version is complete; with an external id that is known, in the place of the one before.
-- $1 bigint: file; $2 bigint: version; $3 int: its chunks, or NULL when another document has the version already;
-- $4 uuid: its id; $5 text: folder; $6 text: file name; $7 title; $8 url; $9 author; $10 description; $11 source;
-- $12 chunk source; $13 published; $14 bigint: words; $15 bigint: tokens; $16 text: external id or NULL.
-- Returns id, uuid, folder and name as they stand now: one row.  Index: document_tenant_id_external_id_key.
WITH v AS (
    UPDATE exedra.document_version v SET n_chunks = coalesce($3::int, v.n_chunks)
     WHERE v.tenant_id = (SELECT exedra.tenant_id()) AND v.id = $2::bigint RETURNING v.tenant_id, v.id
), f AS (
    INSERT INTO exedra.folder (tenant_id, name) SELECT v.tenant_id, $5::text FROM v ON CONFLICT DO NOTHING
)
INSERT INTO exedra.document AS d (tenant_id, uuid, file_id, external_id, folder, name, version_id, title, url, author, description,
       source, chunk_source, published, word_count, token_estimate)
SELECT v.tenant_id, $4::uuid, $1::bigint, $16::text, $5::text, $6::text, v.id, $7::text, $8::text, $9::text, $10::text,
       $11::text, $12::text, $13::text, $14::bigint, $15::bigint FROM v
    ON CONFLICT (tenant_id, external_id) DO UPDATE
   SET file_id = excluded.file_id, version_id = excluded.version_id, title = excluded.title, url = excluded.url,
       author = excluded.author, description = excluded.description, source = excluded.source,
       chunk_source = excluded.chunk_source, published = excluded.published, word_count = excluded.word_count,
       token_estimate = excluded.token_estimate, changed_at = now()
RETURNING d.id, d.uuid, d.folder, d.name;
