-- Who ranks what a search of these workspaces finds, where one of them wants that.  $1 bigint[]: workspaces; $2 text, $3 text: the
-- server's provider and model.  An exedra.service_setup, or no row.  Indexes: workspace_pkey, setting_pkey.
-- Shares its transaction.
SELECT s.*
  FROM (SELECT w.id FROM exedra.workspace w
         WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.id = ANY ($1::bigint[]) AND w.vector_search_mode = 'rerank' LIMIT 1) w,
       LATERAL exedra.choose_service('rerank', $2::text, $3::text) s;
