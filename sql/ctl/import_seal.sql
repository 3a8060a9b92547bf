-- $1 text: kind; $2 text: name; $3 text: sealed, hexadecimal.  Put it there.
SELECT exedra.put_sealed($1::text, $2::text, $3::text);
