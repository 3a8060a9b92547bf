-- How many passages workspaces answer from, counted in each.  Returns one row.  LIMIT 1 makes it a look-up for each document,
-- whatever the size.  Indexes: workspace_document_pkey, document_pkey, document_version_pkey.
SELECT coalesce(sum((SELECT v.n_chunks FROM exedra.document_version v
                      WHERE v.tenant_id = (SELECT exedra.tenant_id())
                        AND v.id = (SELECT d.version_id FROM exedra.document d
                                     WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = l.document_id LIMIT 1) LIMIT 1)), 0) AS n
  FROM exedra.workspace_document l
 WHERE l.tenant_id = (SELECT exedra.tenant_id());
