-- $1 text: first line; $2 text: the tenant's row; $3 text: another name, or NULL.  Returns the tenant's id, and the one that it had.
SELECT id, id_there FROM exedra.begin_import($1::text, $2::text, $3::text);
