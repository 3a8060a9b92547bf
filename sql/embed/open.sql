-- Put a visitor's question on record and read all that answering it needs.  $1 text: the embed's address; $2 text: question;
-- $3 text: session; $4 text: visitor (JSON); $5 uuid: ticket; $6 text: worker.  Returns an exedra.opened_chat, or no row; raises EX429.
-- Indexes: embed_tenant_id_uuid_key, chat_embed, chat_partition; see exedra.open_chat().
SELECT * FROM exedra.open_embed_chat($1::text, $2::text, $3::text, $4::text, $5::uuid, $6::text);
