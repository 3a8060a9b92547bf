-- Begin a transaction for an open chat.  $1 bigint: tenant; $2 bigint: chat; $3 uuid: ticket.
-- One row; raises EX410 when the chat is no longer open.  Index: chat_pkey.
SELECT exedra.resume($1::bigint, $2::bigint, $3::uuid);
