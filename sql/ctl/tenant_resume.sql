-- $1 text: name.
SELECT exedra.resume_tenant($1::text);
