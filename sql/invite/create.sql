-- Make an invite.  $1 bytea: sha256 of its code; $2 text: the code; $3 bigint[]: workspaces.  Returns it as JSON.
-- Notes an event.
SELECT exedra.new_invite($1::bytea, $2::text, $3::bigint[]);
