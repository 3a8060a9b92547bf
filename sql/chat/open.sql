-- Put a question on record and read all that answering it needs.
-- $1 text: workspace slug; $2 text: question; $3 text: mode or NULL for the workspace's; $4 text: sessionId or NULL;
-- $5 json: attachments; $6 text: origin; $7 uuid: ticket; $8 text: worker; $9 text: thread slug or NULL;
-- $10 bigint: account to act as, or NULL; $11 boolean: whether the stored history is wanted.
-- Returns an exedra.opened_chat, or no row.  Indexes: see exedra.open_chat().
-- Shares its transaction.
SELECT * FROM exedra.open_chat($1::text, $2::text, $3::text, $4::text, $5::json, $6::text, $7::uuid, $8::text, $9::text,
                               $10::bigint, $11::boolean);
