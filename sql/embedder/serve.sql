-- The embedder whose vectors a search of a workspace compares.  $1 bigint: workspace, or 0 for the tenant; $2 text, $3 text, $4 int:
-- the server's provider, model and dimension.  One row: an exedra.embedder_setup.  Indexes: see exedra.serving_embedder().
-- Shares its transaction.
SELECT e.* FROM exedra.serving_embedder($1::bigint, $2::text, $3::text, $4::int) e;
