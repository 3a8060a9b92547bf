-- Put one segment in the place of several.  $1 bigint[]: these; $2 text: language; $3 int: passages; $4 bytea[]: the buckets of its
-- lexemes; $5 bigint[] versions, $6 int[] numbers: the parts; $7 int[]: where each begins in it.
-- One row: whether it was done; not when some of them have gone meanwhile.  Indexes: segment_pkey, segment_part_pkey.
SELECT exedra.replace_segments($1::bigint[], $2::text, $3::int, $4::bytea[], $5::bigint[], $6::int[], $7::int[]) AS done;
