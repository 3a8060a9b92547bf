-- The embedder whose vectors a search compares.  $1 bigint[] workspaces, $2 bigint[] files: where it looks; $3 text, $4 text, $5 int:
-- the server's provider, model and dimension.  One row: an exedra.embedder_setup.  Indexes: see exedra.serving_embedder().
-- Shares its transaction.
SELECT e.* FROM exedra.serving_embedder($1::bigint[], $2::bigint[], $3::text, $4::text, $5::int) e;
