-- $1 text: tenant; $2 text: username.  Returns how many sessions there were.
SELECT exedra.end_sessions($1::text, $2::text);
