-- $1 text: name.
SELECT exedra.suspend_tenant($1::text);
