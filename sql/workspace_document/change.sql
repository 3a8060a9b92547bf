-- Take documents out of a workspace, and find those that are to be put in.  $1 text: slug; $2 text[]: locations (folder/name) to take out;
-- $3 text[]: to put in.  Unknown locations are passed over, one that is there already stays as it is.
-- Returns workspace_id, document_id, version_id in the order of $3: a row at least, without a document when there is none to put in; no row
-- when there is no such workspace.  The locations are split before the join: a condition that is not leakproof
-- uses no index under row-level security.  LIMIT 1 (a location is unique) makes it a look-up for each, whatever the size.
-- Indexes: workspace_tenant_id_slug_key, document_tenant_id_folder_name_key, workspace_document_tenant_id_workspace_id_document_id_key.
WITH w AS (
    SELECT * FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
), out_path AS MATERIALIZED (
    SELECT split_part(path, '/', 1) AS folder, substr(path, strpos(path, '/') + 1) AS name
      FROM unnest($2::text[]) path WHERE path <> ALL ($3::text[])
), in_path AS MATERIALIZED (
    SELECT split_part(path, '/', 1) AS folder, substr(path, strpos(path, '/') + 1) AS name, no
      FROM unnest($3::text[]) WITH ORDINALITY p (path, no)
), taken AS (
    DELETE FROM exedra.workspace_document l USING w, out_path p,
           LATERAL (SELECT d.id FROM exedra.document d
                     WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.folder = p.folder AND d.name = p.name LIMIT 1) d
     WHERE l.tenant_id = w.tenant_id AND l.workspace_id = w.id AND l.document_id = d.id
), found AS (
    SELECT d.id, d.version_id, min(p.no) AS no
      FROM w, in_path p,
           LATERAL (SELECT d.id, d.version_id FROM exedra.document d
                     WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.folder = p.folder AND d.name = p.name LIMIT 1) d
     WHERE (SELECT l.id FROM exedra.workspace_document l
             WHERE l.tenant_id = w.tenant_id AND l.workspace_id = w.id AND l.document_id = d.id LIMIT 1) IS NULL
     GROUP BY d.id, d.version_id
)
SELECT w.id AS workspace_id, f.id AS document_id, f.version_id FROM w LEFT JOIN found f ON true ORDER BY f.no;
