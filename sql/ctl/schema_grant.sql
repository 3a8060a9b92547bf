-- $1 text: the workers' role.
SELECT exedra.grant_runtime($1::text);
