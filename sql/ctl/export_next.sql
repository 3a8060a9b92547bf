-- $1 bigint: bytes, about.  Returns that much of lines of the table; none at its end.
SELECT exedra.next_exported($1::bigint);
