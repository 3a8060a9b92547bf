-- $1 text: tenant; $2 text: workspace or NULL.
SELECT exedra.unset_embedder($1::text, $2::text);
