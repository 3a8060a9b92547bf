-- Move documents.  $1, $2 text[]: folder and name of each; $3, $4 text[]: those it is to have.  One that a workspace uses stays
-- where it is; so does one whose new folder is not there, and one whose new name is taken.  Returns one row: how many are in
-- use, how many are not there or have nowhere to go, for how many the place is taken.
-- Indexes: document_tenant_id_folder_name_key, folder_pkey, workspace_document_document.
WITH wish AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY
        w (from_folder, from_name, to_folder, to_name, no)
), folders AS MATERIALIZED (
    -- Held: else one that is deleted at the same moment would fail the statement, and with it what goes elsewhere.
    SELECT f.name FROM exedra.folder f
     WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.name = ANY ($3::text[]) FOR KEY SHARE
), seen AS MATERIALIZED (
    SELECT w.no, w.from_folder, w.from_name, w.to_folder, w.to_name, d.id,
           d.id IS NULL OR NOT EXISTS (SELECT FROM folders f WHERE f.name = w.to_folder) AS lost,
           EXISTS (SELECT FROM exedra.workspace_document l
                    WHERE l.tenant_id = (SELECT exedra.tenant_id()) AND l.document_id = d.id) AS used,
           EXISTS (SELECT FROM exedra.document o
                    WHERE o.tenant_id = (SELECT exedra.tenant_id()) AND o.folder = w.to_folder AND o.name = w.to_name
                      AND o.id <> d.id) AS taken
      FROM wish w LEFT JOIN LATERAL (
           SELECT d.id FROM exedra.document d
            WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.folder = w.from_folder AND d.name = w.from_name LIMIT 1) d ON true
), one AS (
    SELECT s.*, row_number() OVER (PARTITION BY s.id ORDER BY s.no DESC) = 1
                AND row_number() OVER (PARTITION BY s.to_folder, s.to_name ORDER BY s.no DESC) = 1 AS counts
      FROM seen s WHERE NOT s.lost AND NOT s.used AND NOT s.taken
), moved AS (
    UPDATE exedra.document d SET folder = o.to_folder, name = o.to_name FROM one o
     WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = o.id AND d.folder = o.from_folder AND d.name = o.from_name AND o.counts
    RETURNING d.id
)
SELECT count(*) FILTER (WHERE used AND NOT lost) AS used,
       -- Somebody else may have moved it at the same moment.
       count(*) FILTER (WHERE lost) + (SELECT count(*) FILTER (WHERE counts) FROM one) - (SELECT count(*) FROM moved) AS lost,
       count(*) FILTER (WHERE taken AND NOT used AND NOT lost) + (SELECT count(*) FILTER (WHERE NOT counts) FROM one) AS taken
  FROM seen;
