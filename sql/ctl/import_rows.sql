-- $1 text: table; $2 bigint: number of the first line; $3 text[]: rows, as JSON.  Returns how many were stored.
SELECT exedra.import_rows($1::text, $2::bigint, $3::text[]);
