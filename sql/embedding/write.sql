-- Write vectors of a version.  $1 bigint: embedder; $2 bigint: version; $3 bigint[]: passages; $4 bit varying[]: the code of each, a
-- bit a component, 1 where it is positive; $5 bytea: the vectors one behind the other, float32, little-endian.  One that is there
-- already stays.  Returns nothing.
INSERT INTO exedra.embedding (tenant_id, embedder_id, version_id, chunk_id, code, vector)
SELECT exedra.tenant_id(), $1::bigint, $2::bigint, v.chunk_id, v.code,
       substr($5::bytea, ((v.no - 1) * 4 * length(v.code) + 1)::int, 4 * length(v.code))
  FROM unnest($3::bigint[], $4::bit varying[]) WITH ORDINALITY v (chunk_id, code, no)
    ON CONFLICT (tenant_id, embedder_id, version_id, chunk_id) DO NOTHING;
