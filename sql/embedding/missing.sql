-- Passages of a version that have no vector yet.  $1 bigint: version; $2 bigint: embedder; $3 int: only those behind this one;
-- $4 int: how many at most.  Returns id, no, text and the title of the first document that shows the version, in order.
-- LIMIT 1 makes each a look-up: as a join the planner would read all vectors of the version for each passage.
-- Indexes: chunk_tenant_id_version_id_no_key, embedding_pkey, document_version_used.
SELECT k.id, k.no, k.text,
       (SELECT d.title FROM exedra.document d
         WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.version_id = $1::bigint ORDER BY d.created_at, d.id LIMIT 1) AS title
  FROM exedra.chunk k
 WHERE k.tenant_id = (SELECT exedra.tenant_id()) AND k.version_id = $1::bigint AND k.no > $3::int
   AND (SELECT e.chunk_id FROM exedra.embedding e
         WHERE e.tenant_id = k.tenant_id AND e.embedder_id = $2::bigint AND e.version_id = k.version_id AND e.chunk_id = k.id LIMIT 1) IS NULL
 ORDER BY k.no LIMIT $4::int;
