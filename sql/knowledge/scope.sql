-- What the caller sees of what is asked for by name.  $1 text[]: slugs; $2 uuid[]: files; $3 text[]: documents by external id.
-- Returns one row: ids of workspaces, and of files that have been read, as arrays.
-- Indexes: workspace_tenant_id_slug_key, file_tenant_id_uuid_key, document_tenant_id_external_id_key, file_pkey.
SELECT ARRAY(SELECT w.id FROM exedra.workspace w
              WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = ANY ($1::text[]) ORDER BY w.id) AS workspaces,
       ARRAY(SELECT f.id FROM exedra.file f
              WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.uuid = ANY ($2::uuid[]) AND f.state = 'done'
             UNION
             SELECT f.id FROM exedra.document d
               JOIN exedra.file f ON f.tenant_id = (SELECT exedra.tenant_id()) AND f.id = d.file_id AND f.state = 'done'
              WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.external_id = ANY ($3::text[])
              ORDER BY 1) AS files;
