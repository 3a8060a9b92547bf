-- Say how a request that holds something has ended.  $1 bigint: tenant; $2 uuid: ticket; $3 bigint: tokens that it used;
-- $4 boolean: whether it counts as one that has asked a model.  Begins its transaction itself; nothing where nothing is held.
-- Indexes: quota_hold_pkey, quota_used_pkey.
SELECT exedra.settle_limits($1::bigint, $2::uuid, $3::bigint, $4::boolean);
