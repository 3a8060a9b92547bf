-- Delete a thread with its chats.  $1 text: workspace slug; $2 text: thread slug.
-- Returns the workspace's id, whether or not the thread was there; no row when there is no such workspace.
-- Indexes: workspace_tenant_id_slug_key, thread_tenant_id_slug_key.
WITH w AS MATERIALIZED (
    SELECT w.tenant_id, w.id FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
), gone AS (
    DELETE FROM exedra.thread t USING w
     WHERE t.tenant_id = (SELECT exedra.tenant_id()) AND t.slug = $2::text AND t.workspace_id = w.id
)
SELECT w.id FROM w;
