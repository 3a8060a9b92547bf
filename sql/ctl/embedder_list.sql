-- $1 text: tenant.  Returns provider, model, dimension asked for, dimension, how many texts have its vectors, since when.
SELECT e.* FROM exedra.list_embedders($1::text) e;
