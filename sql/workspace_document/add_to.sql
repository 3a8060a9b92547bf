-- Put one new document into several workspaces.  $1 bigint: document; $2 text[]: slugs.  Unknown slugs are passed over.
-- Returns nothing.  Index: workspace_tenant_id_slug_key.
INSERT INTO exedra.workspace_document (tenant_id, workspace_id, document_id)
SELECT w.tenant_id, w.id, $1::bigint
  FROM exedra.workspace w
 WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = ANY ($2::text[])
    ON CONFLICT (tenant_id, workspace_id, document_id) DO NOTHING;
