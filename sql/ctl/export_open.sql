-- $1 text: table.  Begin with it.
SELECT exedra.open_export($1::text);
