-- Have tenants looked through that have something older than it is kept.  $1 int: the server's days for chats; $2 for embed chats; $3 for the
-- ledger; $4 for events.  Returns how many.  Run without a tenant.  Indexes: setting_pkey, chat_pkey, chat_embed, usage_at, event_at.
SELECT exedra.plan_retention($1::int, $2::int, $3::int, $4::int) AS n;
