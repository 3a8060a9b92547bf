-- Is there such a workspace, and such a thread in it?  $1 text: slug; $2 text: thread slug, or NULL when none is asked for.
-- Returns its id and whether the thread is there, or no row.
-- Indexes: workspace_tenant_id_slug_key, thread_tenant_id_slug_key.
SELECT w.id, $2::text IS NULL OR EXISTS (
           SELECT FROM exedra.thread t
            WHERE t.tenant_id = (SELECT exedra.tenant_id()) AND t.slug = $2::text AND t.workspace_id = w.id) AS thread_found
  FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text;
