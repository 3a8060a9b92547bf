-- Shut an invite.  $1 bigint.  Returns whether there is one.  Index: invite_tenant.
-- Notes an event.
SELECT exedra.disable_invite($1::bigint) AS found;
