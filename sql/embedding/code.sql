-- The codes of versions that have all their vectors by an embedder.  $1 bigint: embedder; $2 bigint[] versions, $3 int[], $4 int[]:
-- of each the rows that begin from this passage on and before that one.
-- Returns the place in the arrays, the number of the passage that the first code is of, the codes side by side.
-- Index: embedding_code_pkey.
SELECT u.place::int AS place, c.no, c.codes
  FROM unnest($2::bigint[], $3::int[], $4::int[]) WITH ORDINALITY u (version_id, low, high, place)
  JOIN exedra.embedding_code c ON c.tenant_id = (SELECT exedra.tenant_id()) AND c.embedder_id = $1::bigint
   AND c.version_id = u.version_id AND c.no >= u.low AND c.no < u.high;
