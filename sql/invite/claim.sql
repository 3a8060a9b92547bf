-- Make an account by an invite.  $1 bytea: sha256 of its code; $2 text: name, or NULL only to look; $3 text: password, hashed.  Returns done,
-- pending, taken or unknown.  Run without a tenant.  Index: invite_pkey.
-- Notes an event.
SELECT exedra.claim_invite($1::bytea, $2::text, $3::text) AS outcome;
