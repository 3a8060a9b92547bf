-- An embedder has made its first vector.  $1 bigint: embedder; $2 int: the dimension of it.
-- Returns the dimension that stands from now on, which is another when somebody was faster, or no row.  Index: embedder_pkey.
UPDATE exedra.embedder e SET dimension = coalesce(e.dimension, $2::int)
 WHERE e.tenant_id = (SELECT exedra.tenant_id()) AND e.id = $1::bigint RETURNING e.dimension;
