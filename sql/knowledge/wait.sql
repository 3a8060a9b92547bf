-- Have a file's documents put into a workspace once it is read.  $1 bigint: workspace; $2 bigint: file.  Returns nothing.
INSERT INTO exedra.workspace_file (tenant_id, workspace_id, file_id) VALUES (exedra.tenant_id(), $1::bigint, $2::bigint)
    ON CONFLICT DO NOTHING;
