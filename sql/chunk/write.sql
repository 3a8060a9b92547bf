-- Write passages of a version.  $1 bigint: version; $2 int: number of the first; $3 text[]: passages; $4 text[]: their words,
-- by words_prepare(); $5 text: text search configuration.  Returns nothing.
INSERT INTO exedra.chunk (tenant_id, version_id, no, text, words, length)
SELECT exedra.tenant_id(), $1::bigint, $2::int + c.no - 1, c.text, v.words,
       (SELECT coalesce(sum(cardinality(u.positions)), 0) FROM unnest(v.words) u)
  FROM unnest($3::text[], $4::text[]) WITH ORDINALITY c (text, prepared, no),
       LATERAL (SELECT to_tsvector($5::text::regconfig, c.prepared) AS words) v;
