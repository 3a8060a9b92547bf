-- Begin a transaction for a visitor of an embed.  $1 text: its address; $2 boolean: read only; $3 int: schema version of the
-- program; $4 text: tenant the web server named, or NULL.  One row: tenant, account (NULL), role, limited; raises EX404, EX503.
-- Index: embed_address_pkey.
SELECT tenant_id, account_id, role, limited FROM exedra.enter_embed($1::text, $2::boolean, $3::int, $4::text);
