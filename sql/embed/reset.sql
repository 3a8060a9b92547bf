-- Take a session of an embed out of what a model is shown.  $1 text: the embed's address; $2 text: session; $3 text: the page's origin, or
-- NULL; $4 boolean: whether an embed without a list is open.  Returns one row: whether the page may read the answer, and whether there was anything.
-- Indexes: embed_tenant_id_uuid_key, chat_partition.
WITH e AS MATERIALIZED (
    SELECT e.workspace_id, exedra.embed_conversation(e, $2::text) AS conversation, exedra.embed_lets(e, $3::text, $4::boolean) AS lets,
           e.origins IS NULL AS anywhere
      FROM exedra.embed e
     WHERE e.tenant_id = (SELECT exedra.tenant_id()) AND e.uuid = $1::text
), gone AS (
    UPDATE exedra.chat c SET include = false, changed_at = now() FROM e
     WHERE c.tenant_id = (SELECT exedra.tenant_id()) AND c.workspace_id = e.workspace_id AND c.conversation = e.conversation AND c.include
    RETURNING c.id
)
SELECT e.lets, e.anywhere, EXISTS (SELECT FROM gone) AS known FROM e;
