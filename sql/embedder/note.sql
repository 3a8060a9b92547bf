-- A worker starts.  $1 text, $2 text, $3 int: its provider, model and dimension, or NULL.  One row: whether that is new.
-- Run without a tenant.
SELECT exedra.note_embedder($1::text, $2::text, $3::int) AS changed;
