-- All buckets of a segment.  $1 bigint: segment.  Returns lexemes.  Index: word_pkey.
SELECT w.lexemes FROM exedra.word w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.segment_id = $1::bigint;
