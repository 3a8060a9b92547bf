-- What nobody gets by default.  exedractl --runtime-role gives the workers' role its share after this.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA exedra FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA exedra FROM PUBLIC;

CREATE OR REPLACE FUNCTION exedra.grant_runtime(role text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    tenant_table text;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA exedra TO %I', role);
    FOR tenant_table IN SELECT tablename FROM pg_catalog.pg_policies
                         WHERE schemaname = 'exedra' AND policyname = 'tenant' LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON exedra.%I TO %I', tenant_table, role);
    END LOOP;
    EXECUTE format('REVOKE UPDATE, DELETE ON exedra.usage FROM %I', role);
    EXECUTE format('GRANT USAGE ON SEQUENCE exedra.chat_recency TO %I', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION exedra.tenant_id(), exedra.account_id(), exedra.sees_all(),
        exedra.check_version(int), exedra.enter(bytea, int, boolean, int, text), exedra.resume(bigint, bigint, uuid),
        exedra.enter_embed(text, boolean, int, text), exedra.embed_lets(exedra.embed, text, boolean), exedra.embed_conversation(exedra.embed, text),
        exedra.embed_keeps(exedra.chat), exedra.check_embed_limits(exedra.embed, text), exedra.open_embed_chat(text, text, text, text, uuid, text),
        exedra.json_embed(exedra.embed), exedra.json_embed_item(exedra.embed, text, bigint), exedra.json_embed_chat(exedra.chat),
        exedra.json_visitor_history(exedra.chat), exedra.new_embed(text, jsonb), exedra.change_embed(text, jsonb),
        exedra.acting_account(bigint), exedra.conversation(bigint, text), exedra.chat_history(bigint, text, bigint, int),
        exedra.open_chat(text, text, text, text, json, text, uuid, text, text, bigint, boolean),
        exedra.close_chat(bigint, bigint, uuid, text, boolean, text, json, json, text, text, text, bigint, bigint, boolean),
        exedra.stopped(bigint[], bigint[], text[]), exedra.fail_chats(text, text, text), exedra.sweep_chats(int), exedra.sweep_documents(int),
        exedra.find_embedder(exedra.embedder_setup, text), exedra.choose_embedder(bigint, text, text, int), exedra.wanted_embedder(bigint, text, text, int),
        exedra.serving_embedder(bigint, text, text, int), exedra.complete_embedding(bigint, bigint), exedra.drop_embedding(bigint, bigint),
        exedra.unembedded(bigint, text, text, int, int), exedra.enqueue_later(text, bigint[], double precision, boolean), exedra.count_jobs(text),
        exedra.check_embeddings(bigint, text, text, int), exedra.sweep_embeddings(text, text, int, int), exedra.note_embedder(text, text, int),
        exedra.enqueue_job(text, bigint), exedra.claim_job(text), exedra.work_on(bigint, uuid), exedra.end_job(bigint, uuid, text, int),
        exedra.iso(timestamptz), exedra.epoch(timestamptz), exedra.json_extend(json, text), exedra.json_array(text),
        exedra.json_workspace(exedra.workspace), exedra.json_document(exedra.document),
        exedra.json_file(exedra.document, boolean), exedra.chunk_text(exedra.document, text),
        exedra.json_workspace_document(exedra.workspace_document, exedra.document),
        exedra.json_source(exedra.document, uuid, text, double precision, double precision), exedra.json_pinned(exedra.document, text),
        exedra.json_metadata(exedra.document), exedra.tend_segments(text),
        exedra.replace_segments(bigint[], text, int, bytea[], bigint[], int[], int[]), exedra.json_history(exedra.chat),
        exedra.json_owner(bigint), exedra.file_status(exedra.file_state), exedra.json_file_meta(exedra.file, text),
        exedra.file_hash(exedra.file), exedra.json_origin(exedra.document, exedra.file), exedra.file_head(exedra.file), exedra.file_tail(exedra.file), exedra.json_knowledge_file(exedra.file, text),
        exedra.json_knowledge(exedra.workspace, text), exedra.workspace_files(bigint, bigint),
        exedra.role_name(int), exedra.json_user(exedra.account), exedra.other_admins(bigint), exedra.change_user(bigint, jsonb),
        exedra.begin_sign_in(text, text), exedra.open_session(bigint, bigint, bytea, int), exedra.close_session(bytea),
        exedra.new_invite(bytea, text, bigint[]), exedra.list_invites(), exedra.disable_invite(bigint), exedra.claim_invite(bytea, text, text),
        exedra.replace_key(bytea, text), exedra.own_key(),
        exedra.known_settings(), exedra.check_setting(text, text), exedra.put_settings(jsonb), exedra.setting_on(text),
        exedra.put_provider(jsonb), exedra.apply_env(jsonb, text, jsonb), exedra.issue_token(bigint, bytea), exedra.redeem_token(text, bytea, bytea, int),
        exedra.delete_user(bigint), exedra.json_members(bigint), exedra.set_members(bigint, bigint[], boolean),
        exedra.asker(exedra.chat), exedra.json_chat_row(exedra.chat, text, text),
        exedra.json_thread(exedra.thread), exedra.json_model(exedra.workspace, text) TO %I', role);
END $$;
COMMENT ON FUNCTION exedra.grant_runtime(text) IS 'Give a role what the workers need, and no more: no directory table, no administrator''s function.';
REVOKE ALL ON FUNCTION exedra.grant_runtime(text) FROM PUBLIC;
