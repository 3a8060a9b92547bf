-- Have vectors made that are wanted and not there.  $1 bigint: look behind this version; $2 text, $3 text, $4 int: the server's
-- provider, model and dimension.  One row: whether none are missing.  Indexes: see exedra.unembedded().
SELECT exedra.check_embeddings($1::bigint, $2::text, $3::text, $4::int) AS complete;
