-- All workspaces that the caller sees, by id, each with its threads.
-- Returns one row: a JSON array.  Indexes: workspace_pkey, thread_workspace.
-- Arrays and no aggregates: those take an eighth more of the time for a few rows.
SELECT exedra.json_array(array_to_string(ARRAY(
    SELECT exedra.json_extend(exedra.json_workspace(w), '"threads":' || exedra.json_array(array_to_string(ARRAY(
               SELECT row_to_json(ROW(t.account_id, t.slug, t.name)::exedra.thread_of_workspace_json)::text
                 FROM exedra.thread t WHERE t.tenant_id = w.tenant_id AND t.workspace_id = w.id ORDER BY t.id), ',')))
      FROM exedra.workspace w
     WHERE w.tenant_id = (SELECT exedra.tenant_id())
     ORDER BY w.id), ','));
