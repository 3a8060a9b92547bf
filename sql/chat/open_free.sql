-- Put a question on record that goes to a model without a workspace.  $1 text: question; $2 json: attachments;
-- $3 text: origin; $4 uuid: ticket; $5 text: worker.  Returns the chat's id.
INSERT INTO exedra.chat (tenant_id, account_id, origin, mode, prompt, attachments, ticket, worker)
VALUES (exedra.tenant_id(), exedra.account_id(), $3::text, 'chat', $1::text, $2::json, $4::uuid, $5::text)
RETURNING id AS chat_id, account_id;
