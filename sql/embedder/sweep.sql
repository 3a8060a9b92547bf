-- Delete some of the vectors that are wanted nowhere any more.  $1 text, $2 text, $3 int: the server's provider, model and
-- dimension; $4 int: how many.  One row: whether there may be more.  Index: embedding_pkey.
SELECT exedra.sweep_embeddings($1::text, $2::text, $3::int, $4::int) AS more;
