-- Change a collection's name and description.  $1 text: slug; $2 text: name; $3 text: description.  Returns its id, or no row.
-- Index: workspace_tenant_id_slug_key.
-- Notes an event.
UPDATE exedra.workspace w SET name = $2::text, description = $3::text, changed_at = now()
 WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
RETURNING w.id, exedra.note_event('workspace.update', w.id, w.slug, '{"changed":["description","name"]}');
