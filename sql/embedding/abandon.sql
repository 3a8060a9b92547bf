-- Take back the vectors of a version that could not be completed.  $1 bigint: version; $2 bigint: embedder.
SELECT exedra.drop_embedding($1::bigint, $2::bigint);
