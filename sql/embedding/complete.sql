-- Are all vectors of a version there?  Then it is searched by them.  $1 bigint: version; $2 bigint: embedder.
-- One row: whether they are, NULL when the version is gone.  Indexes: chunk_tenant_id_version_id_no_key, embedding_pkey.
SELECT exedra.complete_embedding($1::bigint, $2::bigint) AS complete;
