-- All documents as folders of files.  Returns one row: a JSON array, custom-documents first, the rest by name; empty folders too.
-- Indexes: folder_pkey, document_tenant_id_folder_name_key, workspace_document_document.
SELECT exedra.json_array(string_agg('{"name":' || to_json(f.name) || ',"type":"folder","items":' || exedra.json_array(i.items) || '}',
                                    ',' ORDER BY f.name <> 'custom-documents', f.name))
  FROM exedra.folder f
  LEFT JOIN (SELECT d.folder, string_agg(
                   exedra.json_extend(exedra.json_file(d, u.cached),
                       '"canWatch":false,"pinnedWorkspaces":' || to_json(u.pinned) || ',"watched":false'),
                   ',' ORDER BY d.name) AS items
          FROM exedra.document d,
               LATERAL (SELECT count(*) > 0 AS cached,
                               coalesce(array_agg(l.workspace_id ORDER BY l.workspace_id) FILTER (WHERE l.pinned), '{}') AS pinned
                          FROM exedra.workspace_document l WHERE l.tenant_id = d.tenant_id AND l.document_id = d.id) u
         WHERE d.tenant_id = (SELECT exedra.tenant_id())
         GROUP BY d.folder) i ON i.folder = f.name
 WHERE f.tenant_id = (SELECT exedra.tenant_id());
