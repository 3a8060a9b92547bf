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
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON exedra.event FROM %I', role);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON exedra.quota FROM %I', role);
    EXECUTE format('GRANT USAGE ON SEQUENCE exedra.chat_recency, exedra.chat_id_seq TO %I', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION exedra.tenant_id(), exedra.account_id(), exedra.sees_all(), exedra.is_manager(), exedra.workspace_ids(), exedra.in_rooms(bigint), exedra.is_own(bigint, bigint), exedra.own_workspaces(), exedra.key_id(), exedra.is_limited(), exedra.any_workspace(),
        exedra.check_version(int), exedra.enter(bytea, int, boolean, int, text, text, text), exedra.note_uses(bytea[]),
        exedra.limits_of(bigint, bigint), exedra.take_limit(text, bigint, text, bigint, bigint, bigint), exedra.hold_limits(uuid, bigint),
        exedra.must_hold(uuid), exedra.settle_limits(bigint, uuid, bigint, boolean), exedra.free_limits(), exedra.open_free_chat(text, json, text, uuid, text), exedra.resume(bigint, bigint, uuid),
        exedra.enter_embed(text, boolean, int, text), exedra.embed_lets(exedra.embed, text, boolean), exedra.embed_conversation(exedra.embed, text),
        exedra.embed_keeps(exedra.chat), exedra.check_embed_limits(exedra.embed, text), exedra.open_embed_chat(text, text, text, text, uuid, text),
        exedra.json_embed(exedra.embed), exedra.json_embed_item(exedra.embed, text, bigint), exedra.json_embed_chat(exedra.chat),
        exedra.json_visitor_history(exedra.chat), exedra.new_embed(text, jsonb), exedra.change_embed(text, jsonb),
        exedra.acting_account(bigint), exedra.conversation(bigint, text), exedra.chat_history(bigint, text, bigint, int),
        exedra.open_chat(text, text, text, text, json, text, uuid, text, text, bigint, boolean),
        exedra.close_chat(bigint, bigint, uuid, text, boolean, text, json, json, text, text, text, bigint, bigint, boolean),
        exedra.stopped_chats(bigint[], bigint[], text[]), exedra.keep_answers(bigint[], bigint[], uuid[], text[]), exedra.fail_chats(text, text, text), exedra.sweep_chats(int), exedra.sweep_documents(int),
        exedra.find_embedder(exedra.embedder_setup, text), exedra.choose_embedder(bigint, text, text, int), exedra.wanted_embedder(bigint, text, text, int),
        exedra.serving_embedder(bigint[], bigint[], text, text, int), exedra.complete_embedding(bigint, bigint), exedra.drop_embedding(bigint, bigint),
        exedra.unembedded(bigint, text, text, int, int), exedra.enqueue_later(text, bigint[], double precision, boolean), exedra.count_jobs(text),
        exedra.check_embeddings(bigint, text, text, int), exedra.sweep_embeddings(text, text, int, int), exedra.note_embedder(text, text, int), exedra.choose_service(text, text, text),
        exedra.enqueue_job(text, bigint), exedra.claim_job(text), exedra.waiting_jobs(), exedra.work_on(bigint, uuid), exedra.end_job(bigint, uuid, text, int),
        exedra.iso(timestamptz), exedra.epoch(timestamptz), exedra.json_extend(json, text), exedra.json_array(text),
        exedra.json_workspace(exedra.workspace), exedra.json_document(exedra.document),
        exedra.json_file(exedra.document, boolean), exedra.chunk_text(exedra.document, text),
        exedra.json_workspace_document(exedra.workspace_document, exedra.document),
        exedra.json_source(exedra.document, uuid, text, double precision, double precision), exedra.json_pinned(exedra.document, text),
        exedra.json_metadata(exedra.document), exedra.tend_segments(text),
        exedra.replace_segments(bigint[], text, int, bytea[], bigint[], int[], int[]), exedra.json_history(exedra.chat),
        exedra.json_owner(bigint), exedra.file_status(exedra.file_state), exedra.json_file_meta(exedra.file, text),
        exedra.file_hash(exedra.file), exedra.json_origin(exedra.document, exedra.file), exedra.file_head(exedra.file), exedra.file_tail(exedra.file, text), exedra.file_collection(exedra.file),
        exedra.json_knowledge(exedra.workspace, text), exedra.workspace_files(bigint, bigint),
        exedra.role_name(int), exedra.json_user(exedra.account), exedra.other_admins(bigint), exedra.change_user(bigint, jsonb),
        exedra.begin_sign_in(text, text), exedra.open_session(bigint, bigint, text, bytea, int), exedra.close_session(bytea),
        exedra.new_invite(bytea, text, bigint[]), exedra.list_invites(), exedra.disable_invite(bigint), exedra.claim_invite(bytea, text, text),
        exedra.replace_key(bytea, text), exedra.own_key(), exedra.key_ends(bytea),
        exedra.known_settings(), exedra.check_setting(text, text), exedra.put_settings(jsonb), exedra.setting_on(text),
        exedra.put_provider(jsonb), exedra.apply_env(jsonb, text, jsonb), exedra.issue_token(bigint, bytea), exedra.redeem_token(text, bytea, bytea, int),
        exedra.delete_user(bigint), exedra.json_members(bigint), exedra.set_members(bigint, bigint[], boolean),
        exedra.note_origin(text, text, text), exedra.note_event(text, bigint, text, json), exedra.keys_of(jsonb), exedra.json_event(exedra.event), exedra.refuse_sign_in(bigint, bigint), exedra.try_password(), exedra.expire_tries(int),
        exedra.new_account(text, text, smallint, text, int), exedra.alter_account(bigint, jsonb, boolean), exedra.drop_account(bigint, boolean), exedra.store_settings(jsonb),
        exedra.expire(text, int, bigint, int), exedra.plan_retention(int, int, int, int), exedra.expire_former(int, int, int),
        exedra.asker(exedra.chat), exedra.json_chat_row(exedra.chat, text, text),
        exedra.json_thread(exedra.thread), exedra.json_model(exedra.workspace, text) TO %I', role);
END $$;
COMMENT ON FUNCTION exedra.grant_runtime(text) IS 'Give a role what the workers need, and no more: no directory table, no administrator''s function.';
REVOKE ALL ON FUNCTION exedra.grant_runtime(text) FROM PUBLIC;

-- The administrator's functions run as the owner, so that who has the administrator's role needs no right on a table.
CREATE OR REPLACE FUNCTION exedra.admin_functions() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY['create_tenant', 'list_tenants', 'suspend_tenant', 'resume_tenant', 'delete_tenant', 'tenant_sizes', 'find_tenant', 'every_tenant',
                 'create_account', 'list_accounts', 'suspend_account', 'resume_account', 'delete_account', 'grant_workspace', 'list_sessions', 'end_sessions',
                 'create_key', 'list_keys', 'change_key', 'set_provider', 'list_providers', 'delete_provider', 'set_setting', 'list_settings',
                 'set_embedder', 'unset_embedder', 'list_embedders', 'list_workspaces', 'list_embeds', 'list_usage', 'list_events', 'list_failures',
                 'list_open_chats', 'list_jobs', 'set_limit', 'list_limits']
$$;
COMMENT ON FUNCTION exedra.admin_functions() IS 'What the administrator''s role may call, by name.';
DO $$
DECLARE
    one regprocedure;
BEGIN
    FOR one IN SELECT p.oid FROM pg_catalog.pg_proc p
                WHERE p.pronamespace = 'exedra'::regnamespace AND p.proname = ANY (exedra.admin_functions()) LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = pg_catalog, pg_temp', one);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION exedra.grant_admin(role text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one text;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA exedra TO %I', role);
    FOR one IN SELECT p.oid::regprocedure FROM pg_catalog.pg_proc p
                WHERE p.pronamespace = 'exedra'::regnamespace AND p.proname = ANY (exedra.admin_functions() || '{iso,known_actions,known_settings}') LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', one, role);
    END LOOP;
    FOR one IN SELECT format('exedra.%I', c.relname) FROM pg_catalog.pg_class c WHERE c.relnamespace = 'exedra'::regnamespace AND c.relkind = 'v' LOOP
        EXECUTE format('GRANT SELECT ON %s TO %I', one, role);
    END LOOP;
END $$;
COMMENT ON FUNCTION exedra.grant_admin(text) IS 'Give a role what an administrator needs, and no more: functions and views, no table.';
REVOKE ALL ON FUNCTION exedra.admin_functions(), exedra.grant_admin(text) FROM PUBLIC;
