-- Let a request that asks a model in under the caller's limits.  $1 uuid: its ticket; $2 bigint: tokens to set aside.
-- Returns whether there are limits; raises EX429.  Indexes: quota_pkey, quota_used_pkey.
SELECT exedra.hold_limits($1::uuid, $2::bigint);
