-- Delete an embed with its address and its chats.  $1 text: its address.  Returns a row when there was one.
-- Index: embed_tenant_id_uuid_key.
-- Notes an event.
DELETE FROM exedra.embed e WHERE e.tenant_id = (SELECT exedra.tenant_id()) AND e.uuid = $1::text
RETURNING e.id, exedra.note_event('embed.delete', e.id, e.uuid);
