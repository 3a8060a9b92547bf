-- Make a folder.  $1 text: its name.  Returns its name, or no row when there is one of that name.  Index: folder_pkey.
INSERT INTO exedra.folder (tenant_id, name) VALUES (exedra.tenant_id(), $1::text) ON CONFLICT DO NOTHING RETURNING name;
