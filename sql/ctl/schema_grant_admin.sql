-- $1 text: the administrators' role.
SELECT exedra.grant_admin($1::text);
