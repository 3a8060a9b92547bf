-- Delete documents, wherever they are in use.  $1 text[]: locations (folder/name); unknown ones are passed over.  Returns nothing.
-- The locations are split before the join, and looked up one by one, as in workspace_document/change.
-- Index: document_tenant_id_folder_name_key.
WITH path AS MATERIALIZED (
    SELECT DISTINCT split_part(p, '/', 1) AS folder, substr(p, strpos(p, '/') + 1) AS name FROM unnest($1::text[]) p
)
DELETE FROM exedra.document gone USING path p,
       LATERAL (SELECT d.id FROM exedra.document d
                 WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.folder = p.folder AND d.name = p.name LIMIT 1) d
 WHERE gone.tenant_id = (SELECT exedra.tenant_id()) AND gone.id = d.id;
