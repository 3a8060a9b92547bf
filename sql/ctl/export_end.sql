-- All tables have been read.  Returns nothing.
SELECT exedra.end_export();
