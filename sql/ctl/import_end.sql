-- All lines are in.  Returns sentences for who imports.
SELECT exedra.end_import();
