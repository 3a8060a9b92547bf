-- The workspaces of these slugs.  $1 text[]; those that there are not are passed over.  Returns their ids in order.
-- Index: workspace_tenant_id_slug_key.
SELECT w.id FROM exedra.workspace w WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = ANY ($1::text[]) ORDER BY w.id;
