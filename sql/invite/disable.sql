-- Shut an invite.  $1 bigint.  Returns whether there is one.  Index: invite_tenant.
SELECT exedra.disable_invite($1::bigint) AS found;
