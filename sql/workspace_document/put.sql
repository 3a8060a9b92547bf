-- Put documents into a workspace, in this order.  $1 bigint: workspace; $2 bigint[]: documents.  One that is gone is passed over, one that
-- is there already stays as it is.  Returns nothing.  Index: document_pkey.
-- Each is held: else one that is deleted at the same moment would fail the statement, and with it all the others.
INSERT INTO exedra.workspace_document (tenant_id, workspace_id, document_id)
SELECT exedra.tenant_id(), $1::bigint, d.id
  FROM unnest($2::bigint[]) WITH ORDINALITY p (document_id, no),
       LATERAL (SELECT d.id FROM exedra.document d
                 WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = p.document_id LIMIT 1 FOR KEY SHARE) d
 ORDER BY p.no
    ON CONFLICT (tenant_id, workspace_id, document_id) DO NOTHING;
