-- Change the columns named in $2.  $1 text: slug; $2 jsonb: columns by name, already normalised.
-- Returns the workspace as JSON, or no row.  Index: workspace_tenant_id_slug_key.
-- Notes an event.
UPDATE exedra.workspace w
   SET (name, temperature, history_length, prompt, similarity_threshold, chat_provider, chat_model, top_n, chat_mode,
        agent_provider, agent_model, refusal, vector_search_mode, router_id, changed_at) = (
       SELECT n.name, n.temperature, n.history_length, n.prompt, n.similarity_threshold, n.chat_provider, n.chat_model,
              n.top_n, n.chat_mode, n.agent_provider, n.agent_model, n.refusal, n.vector_search_mode, n.router_id,
              n.changed_at
         FROM jsonb_populate_record(w, $2::jsonb) n)
 WHERE w.tenant_id = (SELECT exedra.tenant_id()) AND w.slug = $1::text
RETURNING exedra.json_workspace(w), exedra.note_event('workspace.update', w.id, w.slug, exedra.keys_of($2::jsonb - 'changed_at'));
