-- Give a thread a name.  $1 text: workspace slug; $2 text: thread slug; $3 text: name, or NULL to leave it.
-- Returns the thread as JSON; NULL when there is no such thread; no row when there is no such workspace.
-- Indexes: workspace_tenant_id_slug_key, thread_tenant_id_slug_key.
WITH w AS MATERIALIZED (
    SELECT w.tenant_id, w.id FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
), changed AS (
    UPDATE exedra.thread t SET name = coalesce($3::text, t.name), changed_at = CASE WHEN $3::text IS NULL THEN t.changed_at ELSE now() END
      FROM w WHERE t.tenant_id = (SELECT exedra.tenant_id()) AND t.slug = $2::text AND t.workspace_id = w.id
    RETURNING exedra.json_thread(t) AS thread
)
SELECT c.thread FROM w LEFT JOIN changed c ON true;
