-- Take the caller's conversation out of what a model is shown: the partition of this workspace, thread, session, account.
-- $1 text: slug; $2 text: sessionId or NULL; $3 text: thread slug or NULL; $4 bigint: account to act as, or NULL.
-- Returns the workspace's id and whether the thread was found, or no row.  Index: chat_partition.
WITH w AS MATERIALIZED (
    SELECT w.tenant_id, w.id, t.id AS thread_id, $3::text IS NULL OR t.id IS NOT NULL AS thread_found,
           exedra.acting_account($4::bigint) AS who, exedra.conversation(t.id, $2::text) AS conversation
      FROM exedra.workspace w
      LEFT JOIN exedra.thread t ON t.tenant_id = (SELECT exedra.tenant_id()) AND t.slug = $3::text AND t.workspace_id = w.id
     WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
), gone AS (
    UPDATE exedra.chat c SET include = false, changed_at = now() FROM w
     WHERE w.thread_found AND c.tenant_id = w.tenant_id AND c.workspace_id = w.id
       AND c.conversation = w.conversation
       AND c.account_id IS NOT DISTINCT FROM w.who AND c.include
)
SELECT w.id, w.thread_found FROM w;
