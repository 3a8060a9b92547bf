-- $1 text: name.  Returns the tenant's id.
SELECT exedra.find_tenant($1::text);
