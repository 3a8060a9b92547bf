-- Passages as they are shown.  $1 bigint[] documents, $2 bigint[] versions, $3 int[] numbers: which; $4 float8[]: their scores;
-- $5 float8[]: the distances of their vectors from the question's, NULL where none was compared.
-- Returns in this order: id, document, title, text, the text under its header, the source (JSON), the document's metadata (JSON),
-- score, distance; no row for a passage that has gone.  LIMIT 1 makes each a look-up; the sub-selects keep the planner from making a
-- plan of its own for each list, which would take as long as running it.
-- Indexes: document_pkey, chunk_tenant_id_version_id_no_key.
SELECT k.uuid AS id, d.id AS document_id, d.title, k.text, exedra.chunk_text(d, k.text) AS cited,
       exedra.json_source(d, k.uuid, k.text, u.score, u.distance) AS source, exedra.json_metadata(d) AS metadata, u.score, u.distance
  FROM unnest((SELECT $1::bigint[]), (SELECT $2::bigint[]), (SELECT $3::int[]), (SELECT $4::float8[]), (SELECT $5::float8[]))
       WITH ORDINALITY u (document_id, version_id, no, score, distance, place),
       LATERAL (SELECT * FROM exedra.chunk k
                 WHERE k.tenant_id = (SELECT exedra.tenant_id()) AND k.version_id = u.version_id AND k.no = u.no LIMIT 1) k,
       LATERAL (SELECT * FROM exedra.document d
                 WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = u.document_id LIMIT 1) d
 ORDER BY u.place;
