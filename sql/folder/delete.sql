-- Delete a folder with its documents, wherever they are in use; custom-documents stays.  $1 text: its name.  Returns its name,
-- or no row.  Index: folder_pkey.
-- Notes an event.
DELETE FROM exedra.folder f
 WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.name = $1::text AND f.name <> 'custom-documents'
RETURNING f.name, exedra.note_event('folder.delete', NULL, f.name);
