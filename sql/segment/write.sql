-- Write the words of passages that follow each other in a version.  $1 bigint: version; $2 int: number of the first passage;
-- $3 text: text search configuration; $4 bytea: how many words each has, two bytes each; $5 bytea[]: the buckets of its lexemes.
-- One row: nothing.  When there are many small segments now, they are merged soon.  Index: segment_size.
WITH s AS (
    INSERT INTO exedra.segment (tenant_id, language, n_chunks) VALUES (exedra.tenant_id(), $3::text, octet_length($4::bytea) / 2)
    RETURNING tenant_id, id
), p AS (
    INSERT INTO exedra.segment_part (tenant_id, version_id, no, segment_id, first, n_buckets, language, lengths)
    SELECT s.tenant_id, $1::bigint, $2::int, s.id, 0, cardinality($5::bytea[]), $3::text, $4::bytea FROM s
), w AS (
    INSERT INTO exedra.word (tenant_id, segment_id, bucket, lexemes)
    SELECT s.tenant_id, s.id, b.no - 1, b.lexemes FROM s, unnest($5::bytea[]) WITH ORDINALITY b (lexemes, no)
)
SELECT exedra.tend_segments($3::text);
