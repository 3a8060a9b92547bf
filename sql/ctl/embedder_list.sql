-- $1 text: tenant.  Returns provider, model, dimension asked for, dimension, how many texts have its vectors, since when.
SELECT e.provider, nullif(e.model, ''), e.asked, e.dimension, e.versions, exedra.iso(e.created_at) FROM exedra.list_embedders($1::text) e;
