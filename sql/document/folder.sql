-- The documents of one folder, by name.  $1 text: folder; $2 bigint: offset; $3 bigint: limit or NULL for all.
-- Returns one row: whether there is such a folder, how many documents are in it, and this page as a JSON array.
-- Indexes: folder_pkey, document_tenant_id_folder_name_key, workspace_document_document.
SELECT EXISTS (SELECT FROM exedra.folder f WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.name = $1::text) AS known,
       (SELECT count(*) FROM exedra.document d
         WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.folder = $1::text) AS total,
       (SELECT exedra.json_array(string_agg(
                   exedra.json_extend(exedra.json_file(d, u.cached),
                       '"canWatch":false,"pinnedWorkspaces":' || to_json(u.pinned) || ',"watched":false'),
                   ',' ORDER BY d.name))
          FROM (SELECT * FROM exedra.document d
                 WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.folder = $1::text
                 ORDER BY d.name OFFSET $2::bigint LIMIT $3::bigint) d,
               LATERAL (SELECT count(*) > 0 AS cached,
                               coalesce(array_agg(l.workspace_id ORDER BY l.workspace_id) FILTER (WHERE l.pinned), '{}') AS pinned
                          FROM exedra.workspace_document l WHERE l.tenant_id = d.tenant_id AND l.document_id = d.id) u) AS page;
