-- One workspace with its documents and threads.  $1 text: slug.
-- Returns JSON, or no row.  Indexes: workspace_tenant_id_slug_key, workspace_document and thread by workspace.
SELECT exedra.json_extend(exedra.json_workspace(w),
       '"documents":' || (
           SELECT exedra.json_array(string_agg(exedra.json_workspace_document(l, d)::text, ',' ORDER BY l.id))
             FROM exedra.workspace_document l
             JOIN exedra.document d ON (d.tenant_id, d.id) = (l.tenant_id, l.document_id)
            WHERE l.tenant_id = w.tenant_id AND l.workspace_id = w.id)
       || ',"threads":' || (
           SELECT exedra.json_array(string_agg(row_to_json(ROW(t.account_id, t.slug)::exedra.thread_short_json)::text, ',' ORDER BY t.id))
             FROM exedra.thread t WHERE t.tenant_id = w.tenant_id AND t.workspace_id = w.id))
  FROM exedra.workspace w
 WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text;
