-- Workspaces as collections, the last changed first.  $1 text: a pattern as LIKE has it for name and description, or NULL; $2 bigint:
-- how many at most, or NULL; $3 bigint: how many to pass over.  Returns one row: a JSON array, and how many there are.  Index: workspace_pkey.
WITH k AS MATERIALIZED (
    SELECT w FROM exedra.workspace w
     WHERE w.tenant_id = (SELECT exedra.tenant_id())
       AND ($1::text IS NULL OR lower(w.name) LIKE lower($1::text) OR lower(w.description) LIKE lower($1::text))
)
SELECT (SELECT count(*) FROM k) AS total,
       (SELECT exedra.json_array(string_agg(exedra.json_extend(exedra.json_knowledge(p.w, 'null')::json, '"user":null'), ','
                                            ORDER BY (p.w).changed_at DESC, (p.w).id DESC))
          FROM (SELECT k.w FROM k ORDER BY (k.w).changed_at DESC, (k.w).id DESC LIMIT $2::bigint OFFSET $3::bigint) p) AS page;
