-- Charge what an embedder has read.  $1 text: provider; $2 text: model; $3 bigint: tokens; $4 boolean: whether they are estimated.
-- Returns nothing.
INSERT INTO exedra.usage (tenant_id, account_id, provider, model, prompt_tokens, completion_tokens, estimated)
VALUES (exedra.tenant_id(), exedra.account_id(), $1::text, $2::text, $3::bigint, 0, $4::boolean);
