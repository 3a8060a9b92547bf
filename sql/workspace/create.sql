-- Make a workspace.  $1 text: name; $2 text: slug; $3 jsonb: other columns by name, already normalised;
-- $4 text: the prompt when neither $3 nor the tenant has one.
-- Returns the workspace as JSON, or no row when the slug is taken.  Index: workspace_tenant_id_slug_key.
-- Notes an event.
INSERT INTO exedra.workspace AS w (tenant_id, name, slug, temperature, history_length, prompt, similarity_threshold,
       chat_provider, chat_model, top_n, chat_mode, agent_provider, agent_model, refusal, vector_search_mode, router_id,
       changed_at)
SELECT exedra.tenant_id(), $1::text, $2::text, n.temperature, coalesce(n.history_length, 20),
       coalesce(n.prompt, (SELECT s.value FROM exedra.setting s
                            WHERE s.tenant_id = (SELECT exedra.tenant_id()) AND s.name = 'default_prompt'), $4::text),
       coalesce(n.similarity_threshold, 0.25), n.chat_provider, n.chat_model, coalesce(n.top_n, 4),
       coalesce(n.chat_mode, 'automatic'), n.agent_provider, n.agent_model, n.refusal,
       coalesce(n.vector_search_mode, 'default'), n.router_id, coalesce(n.changed_at, now())
  FROM jsonb_populate_record(NULL::exedra.workspace, $3::jsonb) n
    ON CONFLICT (tenant_id, slug) DO NOTHING
RETURNING exedra.json_workspace(w), exedra.note_event('workspace.create', w.id, w.slug);
