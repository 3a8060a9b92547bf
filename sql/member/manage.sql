-- Let accounts into a workspace.  $1 text: its slug; $2 bigint[]: accounts; $3 boolean: and nobody else.  Returns its id and how many of
-- the accounts there are, or no row.  Nothing is changed when there is none.
-- Indexes: workspace_tenant_id_slug_key, workspace_account_pkey, account_pkey.
-- Notes an event.
WITH w AS (
    SELECT w.id, (SELECT count(*) FROM exedra.account a WHERE a.tenant_id = w.tenant_id AND a.id = ANY ($2::bigint[])) AS n
      FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
)
SELECT w.id, w.n, CASE WHEN w.n > 0 THEN exedra.set_members(w.id, $2::bigint[], $3::boolean) END FROM w;
