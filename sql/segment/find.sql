-- What a search may find, and by which words.  $1 bigint[]: workspaces; $2 bigint[]: files; $3 text: the question, by words_prepare().
-- Returns two kinds of row.  With a document: a part of a segment that belongs to its version (a version that two documents show
-- comes twice), whether the document is pinned in one of the workspaces.  Without: a lexeme of the question in a language that occurs.
-- LIMIT 1 and OFFSET 0 make each step a look-up, whatever the sizes.
-- Indexes: workspace_document_tenant_id_workspace_id_document_id_key, document_file, document_pkey, segment_part_pkey.
WITH part AS MATERIALIZED (
    SELECT l.document_id, l.pinned, p.version_id, p.no, p.segment_id, p.first, p.n_buckets, p.language, p.lengths
      FROM (SELECT l.document_id, l.pinned FROM exedra.workspace_document l
             WHERE l.tenant_id = (SELECT exedra.tenant_id()) AND l.workspace_id = ANY ($1::bigint[])
            UNION ALL
            SELECT d.id, false FROM exedra.document d
             WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.file_id = ANY ($2::bigint[])) l,
           LATERAL (SELECT d.version_id FROM exedra.document d
                     WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = l.document_id LIMIT 1) d,
           LATERAL (SELECT * FROM exedra.segment_part p
                     WHERE p.tenant_id = (SELECT exedra.tenant_id()) AND p.version_id = d.version_id OFFSET 0) p
)
SELECT p.document_id, p.pinned, p.version_id, p.no, p.segment_id, p.first, p.n_buckets, p.language, p.lengths, NULL::text AS lexeme
  FROM part p
 UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, q.language, NULL, q.lexeme
  FROM (SELECT DISTINCT p.language FROM part p) p,
       LATERAL (SELECT p.language, u.lexeme FROM unnest(to_tsvector(p.language::regconfig, $3::text)) u) q;
