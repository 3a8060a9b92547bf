-- May this program run on this database?  $1 int: schema version of the program.  One row; raises EX503.
SELECT exedra.check_version($1::int);
