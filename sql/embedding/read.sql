-- Vectors of passages.  $1 bigint: embedder; $2 bigint[] versions, $3 int[] numbers: the passages.  Returns the place of each in the
-- arrays and its vector, or no row for one that has none.  LIMIT 1 makes it a look-up for each.
-- Indexes: chunk_tenant_id_version_id_no_key, embedding_pkey.
SELECT u.place::int AS place, e.vector
  FROM unnest($2::bigint[], $3::int[]) WITH ORDINALITY u (version_id, no, place),
       LATERAL (SELECT k.id FROM exedra.chunk k
                 WHERE k.tenant_id = (SELECT exedra.tenant_id()) AND k.version_id = u.version_id AND k.no = u.no LIMIT 1) k,
       LATERAL (SELECT e.vector FROM exedra.embedding e
                 WHERE e.tenant_id = (SELECT exedra.tenant_id()) AND e.embedder_id = $1::bigint
                   AND e.version_id = u.version_id AND e.chunk_id = k.id LIMIT 1) e;
