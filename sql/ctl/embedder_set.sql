-- $1 text: tenant; $2 text: provider, or none; $3 text: model or NULL; $4 int: dimensions or NULL; $5 text: workspace or NULL.
SELECT exedra.set_embedder($1::text, $2::text, $3::text, $4::int, $5::text);
