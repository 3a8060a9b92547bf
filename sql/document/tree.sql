-- All documents as folders of files.  Returns one row: a JSON array, custom-documents first, the rest by name.
-- Indexes: document_tenant_id_folder_name_key, workspace_document_document.
SELECT exedra.json_array(string_agg('{"name":' || to_json(f.folder) || ',"type":"folder","items":' || f.items || '}', ','
                                    ORDER BY f.folder <> 'custom-documents', f.folder))
  FROM (SELECT d.folder, exedra.json_array(string_agg(
                   exedra.json_extend(exedra.json_file(d, u.cached),
                       '"canWatch":false,"pinnedWorkspaces":' || to_json(u.pinned) || ',"watched":false'),
                   ',' ORDER BY d.name)) AS items
          FROM exedra.document d,
               LATERAL (SELECT count(*) > 0 AS cached,
                               coalesce(array_agg(l.workspace_id ORDER BY l.workspace_id) FILTER (WHERE l.pinned), '{}') AS pinned
                          FROM exedra.workspace_document l WHERE l.tenant_id = d.tenant_id AND l.document_id = d.id) u
         WHERE d.tenant_id = (SELECT exedra.tenant_id())
         GROUP BY d.folder) f;
