-- Make a thread.  $1 text: workspace slug; $2 text: name; $3 text: slug; $4 bigint: account it belongs to, or NULL for
-- the caller's (only who sees all may name one, and only where there are several: the setting multi_user).
-- Returns the thread as JSON; NULL when the slug is taken or the account unknown; no row when there is no such workspace.
-- Indexes: workspace_tenant_id_slug_key, thread_tenant_id_slug_key, setting_pkey.
WITH w AS MATERIALIZED (
    SELECT w.tenant_id, w.id,
           CASE WHEN exedra.is_manager() AND exedra.setting_on('multi_user') THEN coalesce($4::bigint, exedra.account_id())
                ELSE exedra.account_id() END AS who
      FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
), made AS (
    INSERT INTO exedra.thread AS t (tenant_id, workspace_id, account_id, slug, name)
    SELECT w.tenant_id, w.id, w.who, $3::text, $2::text FROM w
     WHERE w.who IS NULL OR EXISTS (SELECT FROM exedra.account a WHERE a.tenant_id = (SELECT exedra.tenant_id()) AND a.id = w.who)
        ON CONFLICT (tenant_id, slug) DO NOTHING
    RETURNING exedra.json_thread(t) AS thread
)
SELECT m.thread FROM w LEFT JOIN made m ON true;
