-- $1 text: tenant.  Returns the first two lines of its export.
SELECT exedra.begin_export($1::text);
