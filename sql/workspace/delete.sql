-- Delete a workspace with its chats, threads and document links; the documents stay.  $1 text: slug.
-- Returns its id, or no row.  Index: workspace_tenant_id_slug_key.
-- Notes an event.
DELETE FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
RETURNING w.id, exedra.note_event('workspace.delete', w.id, w.slug);
