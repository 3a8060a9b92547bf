-- Change the columns of an embed.  $1 text: its address; $2 jsonb: columns by name, already normalised.  Returns done, unknown or
-- no workspace.  Indexes: embed_tenant_id_uuid_key, workspace_pkey.
-- Notes an event.
SELECT exedra.change_embed($1::text, $2::jsonb) AS outcome;
