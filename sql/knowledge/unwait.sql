-- A workspace waits for a file no longer.  $1 bigint: workspace; $2 bigint: file.  Returns nothing.  Index: workspace_file_pkey.
DELETE FROM exedra.workspace_file p
 WHERE p.tenant_id = (SELECT exedra.tenant_id()) AND p.workspace_id = $1::bigint AND p.file_id = $2::bigint;
