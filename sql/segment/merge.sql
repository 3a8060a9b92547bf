-- What is to be put together with a segment: small ones of its language, up to some 1,000 passages.  $1 bigint: segment.
-- Returns the parts of all of them, by segment, with the size of each; no row when the segment is gone.
-- Indexes: segment_pkey, segment_size, segment_part_segment.
WITH s AS (
    SELECT s.id, s.language, CASE WHEN s.n_chunks < 32 THEN 32 ELSE 512 END AS small
      FROM exedra.segment s WHERE s.tenant_id = (SELECT exedra.tenant_id()) AND s.id = $1::bigint
), peer AS MATERIALIZED (
    SELECT p.id, p.n_chunks, p.turn,
           sum(p.n_chunks) OVER (ORDER BY p.turn, p.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
      FROM (SELECT g.id, g.n_chunks, 0 AS turn FROM s, exedra.segment g
             WHERE g.tenant_id = (SELECT exedra.tenant_id()) AND g.id = s.id
            UNION ALL
            SELECT g.id, g.n_chunks, 1 FROM s, exedra.segment g
             WHERE g.tenant_id = (SELECT exedra.tenant_id()) AND g.language = s.language AND g.n_chunks < s.small AND g.id <> s.id) p
)
SELECT p.segment_id, g.n_chunks, p.language, p.version_id, p.no, p.first, p.lengths
  FROM (SELECT * FROM peer WHERE coalesce(before, 0) < 1024 ORDER BY turn, id LIMIT 64) g
  JOIN exedra.segment_part p ON p.tenant_id = (SELECT exedra.tenant_id()) AND p.segment_id = g.id
 ORDER BY p.segment_id, p.first;
