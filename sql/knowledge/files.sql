-- The files of a collection.  $1 text: slug, or NULL for all that the caller sees; $2 text: a pattern as LIKE has it for the name, or NULL;
-- $3 text: name, created_at or updated_at; $4 boolean: falling; $5 bigint: how many at most; $6 bigint: how many to pass over.
-- Returns id, head, tail, whether there is a text, the collection as JSON, and how many there are in all.
-- Indexes: workspace_tenant_id_slug_key, workspace_document_tenant_id_workspace_id_document_id_key, file_pkey.
WITH m AS MATERIALIZED (
    SELECT f, w
      FROM exedra.workspace w, exedra.workspace_files(w.tenant_id, w.id) m
      JOIN exedra.file f ON f.tenant_id = (SELECT exedra.tenant_id()) AND f.id = m.file_id
     WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND ($1::text IS NULL OR w.slug = $1::text)
       AND ($2::text IS NULL OR lower(f.name) LIKE lower($2::text))
)
SELECT (m.f).id, exedra.file_head(m.f) AS head, exedra.file_tail(m.f, (m.w).slug) AS tail, (m.f).state = 'done' AS readable, exedra.json_knowledge(m.w, 'null') AS collection,
       (SELECT count(*) FROM m) AS total
  FROM m
 ORDER BY CASE WHEN $3::text = 'name' AND NOT $4::boolean THEN (m.f).name END,
          CASE WHEN $3::text = 'name' AND $4::boolean THEN (m.f).name END DESC,
          CASE WHEN $4::boolean THEN -1 ELSE 1 END
              * extract(epoch FROM CASE $3::text WHEN 'updated_at' THEN (m.f).changed_at ELSE (m.f).created_at END), (m.f).id
 LIMIT $5::bigint OFFSET $6::bigint;
