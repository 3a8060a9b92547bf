-- Forget tries to sign in that count no more.  $1 int: how many at most.  Returns how many have gone.  Run without a tenant.  Index: sign_in_began.
SELECT exedra.expire_tries($1::int) AS n;
