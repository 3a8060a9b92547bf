-- Take the caller's conversation out of what a model is shown: the partition of this workspace, session and account.
-- $1 text: slug; $2 text: sessionId or NULL.  Returns the workspace's id, or no row.  Index: chat_partition.
WITH w AS (
    SELECT * FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
), gone AS (
    UPDATE exedra.chat c SET include = false, changed_at = now() FROM w
     WHERE c.tenant_id = w.tenant_id AND c.workspace_id = w.id AND coalesce(c.thread_id, 0) = 0
       AND coalesce(c.api_session_id, '') = coalesce($2::text, '')
       AND c.account_id IS NOT DISTINCT FROM (SELECT exedra.account_id()) AND c.include
)
SELECT w.id FROM w;
