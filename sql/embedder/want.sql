-- The embedder that is wanted for the documents of a workspace, and how far it is with one version.
-- $1 bigint: workspace, or 0 for the tenant; $2 bigint: version; $3 text, $4 text, $5 int: the server's provider, model and dimension.
-- One row: an exedra.embedder_setup, whether the version is there, whether it has its vectors.  Index: document_version_pkey.
SELECT e.*, v.id IS NOT NULL AS version_found,
       EXISTS (SELECT FROM exedra.embedded b
                WHERE b.tenant_id = (SELECT exedra.tenant_id()) AND b.version_id = $2::bigint AND b.embedder_id = e.embedder_id) AS embedded
  FROM exedra.wanted_embedder($1::bigint, $3::text, $4::text, $5::int) e
  LEFT JOIN exedra.document_version v ON v.tenant_id = (SELECT exedra.tenant_id()) AND v.id = $2::bigint;
