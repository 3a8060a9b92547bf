-- The workspaces that wait for a file.  $1 bigint: file.  Returns their ids.  Index: workspace_file_pkey.
SELECT p.workspace_id FROM exedra.workspace_file p WHERE p.tenant_id = (SELECT exedra.tenant_id()) AND p.file_id = $1::bigint;
