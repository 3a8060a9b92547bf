-- All texts of some workspaces and files.  $1 bigint[]: workspaces; $2 bigint[]: files; $3 bigint: bytes that they may have together.
-- Returns document_id, title, text, source (JSON), in the order of documents; no row when they have more.
-- OFFSET 0, LIMIT 1 and the aggregates keep the joins look-ups, whatever the planner believes of a tenant's size.
-- Indexes: workspace_document_tenant_id_workspace_id_document_id_key, document_file, document_pkey, document_text_pkey.
WITH scope AS MATERIALIZED (
    SELECT l.id FROM unnest($1::bigint[]) w (id),
           LATERAL (SELECT l.document_id AS id FROM exedra.workspace_document l
                     WHERE l.tenant_id = (SELECT exedra.tenant_id()) AND l.workspace_id = w.id OFFSET 0) l
    UNION
    SELECT d.id FROM unnest($2::bigint[]) f (id),
           LATERAL (SELECT d.id FROM exedra.document d
                     WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.file_id = f.id OFFSET 0) d
), sized AS MATERIALIZED (
    SELECT d.id, d.version_id, t.bytes
      FROM scope s,
           LATERAL (SELECT d.id, d.version_id FROM exedra.document d
                     WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = s.id LIMIT 1) d,
           LATERAL (SELECT sum(octet_length(t.text)) AS bytes FROM exedra.document_text t
                     WHERE t.tenant_id = (SELECT exedra.tenant_id()) AND t.version_id = d.version_id) t
)
SELECT d.id AS document_id, d.title, t.text, exedra.json_source(d, d.uuid, t.text, NULL, NULL) AS source
  FROM sized s,
       LATERAL (SELECT * FROM exedra.document d WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = s.id LIMIT 1) d,
       LATERAL (SELECT string_agg(t.text, '' ORDER BY t.no) AS text FROM exedra.document_text t
                 WHERE t.tenant_id = (SELECT exedra.tenant_id()) AND t.version_id = s.version_id) t
 WHERE (SELECT sum(bytes) FROM sized) <= $3::bigint
 ORDER BY d.id;
