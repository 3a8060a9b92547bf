-- $1 text: name.  Returns the tenant's id.
SELECT exedra.create_tenant($1::text);
