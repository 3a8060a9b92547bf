-- Enter what a chat cost into the ledger.  $1 bigint: chat; $2 text: provider; $3 text: model; $4 bigint: tokens of the
-- prompt; $5 bigint: of the answer; $6 boolean: estimated.  Returns nothing.  Index: chat_pkey.
INSERT INTO exedra.usage (tenant_id, chat_id, workspace_id, account_id, provider, model, prompt_tokens, completion_tokens, estimated)
SELECT c.tenant_id, c.id, c.workspace_id, c.account_id, $2::text, $3::text, $4::bigint, $5::bigint, $6::boolean
  FROM exedra.chat c
 WHERE c.tenant_id = (SELECT exedra.tenant_id()) AND c.id = $1::bigint;
