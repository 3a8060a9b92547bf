-- Buckets of segments.  $1 bigint[]: segments; $2 int[]: a bucket of each.  Returns their lexemes in this order, none of a segment that
-- has gone.  LIMIT 1 makes it a look-up for each.  Index: word_pkey.
SELECT w.lexemes
  FROM unnest($1::bigint[], $2::int[]) WITH ORDINALITY u (segment_id, bucket, place),
       LATERAL (SELECT w.lexemes FROM exedra.word w
                 WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.segment_id = u.segment_id AND w.bucket = u.bucket LIMIT 1) w
 ORDER BY u.place;
