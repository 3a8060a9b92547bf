-- Delete what is older than it is kept.  $1 text: chats, visitors, usage or events; $2 int: the server's days; $3 bigint: id after which to look;
-- $4 int: how many rows at most.  Returns one row: how many have gone, id after which to go on, or NULL.
-- Indexes: chat_pkey, chat_embed, usage_at, event_at.
-- Notes an event.
SELECT n, next_id FROM exedra.expire($1::text, $2::int, $3::bigint, $4::int);
