-- A sign-in failed.  $1 bigint: tenant; $2 bigint: account, or NULL when there is none of that name.  Returns nothing.  Run without a tenant.
-- Notes an event.
SELECT exedra.refuse_sign_in($1::bigint, $2::bigint);
