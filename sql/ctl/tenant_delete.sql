-- $1 text: name.
SELECT exedra.delete_tenant($1::text);
