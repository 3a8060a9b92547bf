-- Events of the tenant.  $1 bigint: only those before this id, or NULL; $2 bigint: only those after this id, and then the oldest first, or NULL;
-- $3 text: action or NULL; $4 bigint: how many at most.  Returns one row: a JSON array, and whether there are more.
-- Raises EX403 for a key that is limited to workspaces.  Indexes: event_pkey, event_action.
WITH page AS MATERIALIZED (
    SELECT u.e, row_number() OVER () AS no FROM (
        (SELECT e FROM exedra.event e
          WHERE e.tenant_id = (SELECT exedra.tenant_id()) AND $2::bigint IS NULL AND $3::text IS NULL AND e.id < coalesce($1::bigint, 9223372036854775807)
          ORDER BY e.id DESC LIMIT $4::bigint + 1)
        UNION ALL
        (SELECT e FROM exedra.event e
          WHERE e.tenant_id = (SELECT exedra.tenant_id()) AND $2::bigint IS NULL AND e.action = $3::text AND e.id < coalesce($1::bigint, 9223372036854775807)
          ORDER BY e.id DESC LIMIT $4::bigint + 1)
        UNION ALL
        (SELECT e FROM exedra.event e
          WHERE e.tenant_id = (SELECT exedra.tenant_id()) AND $3::text IS NULL AND e.id > $2::bigint AND e.id < coalesce($1::bigint, 9223372036854775807)
          ORDER BY e.id LIMIT $4::bigint + 1)
        UNION ALL
        (SELECT e FROM exedra.event e
          WHERE e.tenant_id = (SELECT exedra.tenant_id()) AND e.action = $3::text AND e.id > $2::bigint AND e.id < coalesce($1::bigint, 9223372036854775807)
          ORDER BY e.id LIMIT $4::bigint + 1)) u
)
SELECT exedra.json_array(string_agg(exedra.json_event(p.e)::text, ',' ORDER BY p.no) FILTER (WHERE p.no <= $4::bigint)) AS page,
       count(*) > $4::bigint AS more
  FROM page p WHERE (SELECT exedra.any_workspace());
