-- Put a question on record that goes to a model without a workspace.  $1 text: question; $2 json: attachments;
-- $3 text: origin; $4 uuid: ticket; $5 text: worker.  Returns the chat's id and account, or must_hold; raises EX403.
SELECT chat_id, account_id, must_hold FROM exedra.open_free_chat($1::text, $2::json, $3::text, $4::uuid, $5::text);
