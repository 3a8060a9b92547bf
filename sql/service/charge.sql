-- Charge what a service has done.  $1 text: provider; $2 text: model; $3 bigint, $4 bigint: tokens that it has read, and said;
-- $5 boolean: whether they are estimated.  Returns nothing.
INSERT INTO exedra.usage (tenant_id, account_id, provider, model, prompt_tokens, completion_tokens, estimated)
VALUES (exedra.tenant_id(), exedra.account_id(), $1::text, $2::text, $3::bigint, $4::bigint, $5::boolean);
