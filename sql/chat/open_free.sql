-- Put a question on record that goes to a model without a workspace.  $1 text: question; $2 json: attachments;
-- $3 text: origin; $4 uuid: ticket; $5 text: worker.  Returns the chat's id and account.
WITH c AS (
    INSERT INTO exedra.chat (tenant_id, account_id, origin, mode, prompt, attachments)
    VALUES (exedra.tenant_id(), exedra.account_id(), $3::text, 'chat', $1::text, $2::json)
    RETURNING tenant_id, id, account_id
)
INSERT INTO exedra.open_chat (tenant_id, chat_id, ticket, worker) SELECT c.tenant_id, c.id, $4::uuid, $5::text FROM c
RETURNING chat_id, (SELECT c.account_id FROM c);
