-- Make an embed.  $1 text: slug of its workspace; $2 jsonb: columns by name, already normalised.  Returns it as JSON; NULL
-- when there is no such workspace.  Index: workspace_tenant_id_slug_key.
-- Notes an event.
SELECT exedra.new_embed($1::text, $2::jsonb) AS embed;
