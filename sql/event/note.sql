-- Notes an event that no other statement writes.  $1 text: action; $2 bigint: object's id or NULL; $3 text: its name or NULL; $4 json: detail.
-- Returns nothing.
SELECT exedra.note_event($1::text, $2::bigint, $3::text, $4::json);
