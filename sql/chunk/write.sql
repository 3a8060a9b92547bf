-- Write passages of a version.  $1 bigint: version; $2 int: number of the first; $3 text[]: passages; $4 text[]: their words,
-- by words_prepare(); $5 text: text search configuration.  Returns what PostgreSQL makes of the words: a tsvector for each, in order.
WITH c AS MATERIALIZED (
    SELECT c.no, c.text, to_tsvector($5::text::regconfig, c.prepared) AS words
      FROM unnest($3::text[], $4::text[]) WITH ORDINALITY c (text, prepared, no)
), written AS (
    INSERT INTO exedra.chunk (tenant_id, version_id, no, text)
    SELECT exedra.tenant_id(), $1::bigint, $2::int + c.no - 1, c.text FROM c
)
SELECT c.words FROM c ORDER BY c.no;
