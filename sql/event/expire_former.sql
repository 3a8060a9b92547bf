-- Delete what tenants that are gone have left.  $1 int: the server's days for the ledger; $2 for events; $3 int: how many rows at most.
-- Returns how many have gone.  Run without a tenant.  Indexes: usage_at, event_at.
SELECT exedra.expire_former($1::int, $2::int, $3::int) AS n;
