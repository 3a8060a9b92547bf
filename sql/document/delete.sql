-- Delete documents, wherever they are in use.  $1 text[]: locations (folder/name); unknown ones are passed over.  Returns nothing.
-- The locations are split before the join, and looked up one by one, as in workspace_document/change.
-- Index: document_tenant_id_folder_name_key.
-- Notes an event.
WITH path AS MATERIALIZED (
    SELECT DISTINCT split_part(p, '/', 1) AS folder, substr(p, strpos(p, '/') + 1) AS name FROM unnest($1::text[]) p
), gone AS (
    DELETE FROM exedra.document x USING path p,
           LATERAL (SELECT d.id FROM exedra.document d
                     WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.folder = p.folder AND d.name = p.name LIMIT 1) d
     WHERE x.tenant_id = (SELECT exedra.tenant_id()) AND x.id = d.id RETURNING x.name
)
SELECT exedra.note_event('document.delete', NULL, CASE WHEN count(*) = 1 THEN min(g.name) END, json_build_object('n', count(*)))
  FROM gone g HAVING count(*) > 0;
