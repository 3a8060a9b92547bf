-- Where the statements behind this one come from.  $1 text: the client's address, or NULL; $2 text: request; $3 text: key, worker or nobody.
-- Returns nothing.
SELECT exedra.note_origin($1::text, $2::text, $3::text);
