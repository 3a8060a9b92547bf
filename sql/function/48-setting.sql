-- What a tenant has set otherwise than the default.  One list names all settings; exedractl, psql and the API change them through the
-- same checks, and a change holds at the next request.

CREATE OR REPLACE FUNCTION exedra.known_settings()
RETURNS TABLE (name text, kind text, lowest int, highest int, preset text, description text) LANGUAGE sql IMMUTABLE AS $$
    VALUES ('default_prompt', 'text', 1, 65536, NULL::text, 'System prompt of new workspaces.'),
           ('language', 'text', 1, 63, NULL, 'Text search configuration of the tenant''s documents.'),
           ('embedding_provider', 'text', 1, 255, NULL, 'Whose vectors documents get: a provider''s name, or none; unset: the server''s.'),
           ('embedding_model', 'text', 1, 255, NULL, 'The model that makes them.'),
           ('embedding_dimensions', 'number', 1, 8192, NULL, 'Numbers of a vector to ask for.'),
           ('transcription_provider', 'text', 1, 255, NULL, 'Who transcribes recordings: a provider''s name, or none; unset: the server''s.'),
           ('transcription_model', 'text', 1, 255, NULL, 'The model that listens.'),
           ('rerank_provider', 'text', 1, 255, NULL, 'Who ranks passages where a workspace wants that: a provider''s name, or none; unset: the server''s.'),
           ('rerank_model', 'text', 1, 255, NULL, 'The model that ranks.'),
           ('multi_user', 'switch', NULL, NULL, 'on', 'Whether the API shows and makes accounts and invites.'),
           ('simple_sso', 'switch', NULL, NULL, 'off', 'Whether administrators may issue tokens that sign somebody in.'),
           ('chunk_size', 'number', 100, 8000, NULL, 'Characters of a passage at most; unset: the server''s chunk.size.'),
           ('chunk_overlap', 'number', 0, 1000, NULL, 'Characters that neighbouring passages share at most; unset: the server''s chunk.overlap.'),
           ('memory_enabled', 'switch', NULL, NULL, 'off', 'Kept for clients that set it.'),
           ('memory_auto_extraction', 'switch', NULL, NULL, 'off', 'Kept for clients that set it.'),
           ('agent_clarifying_questions_enabled', 'switch', NULL, NULL, 'off', 'Kept for clients that set it.'),
           ('agent_clarifying_questions_max_per_turn', 'number', 1, 100, '3', 'Kept for clients that set it.'),
           ('experimental_live_file_sync', 'switch', NULL, NULL, 'off', 'Kept for clients that set it.'),
           ('retain_chats', 'number', 0, 36500, NULL, 'Days that chats are kept, 0 for ever; unset: the server''s retain.chats.'),
           ('retain_visitors', 'number', 0, 36500, NULL, 'Days that visitors'' chats are kept; unset: the server''s retain.visitors.'),
           ('retain_usage', 'number', 0, 36500, NULL, 'Days that the ledger is kept; unset: the server''s retain.usage.'),
           ('retain_events', 'number', 0, 36500, NULL, 'Days that events are kept; unset: the server''s retain.events.'),
           ('support_email', 'text', 1, 65536, NULL, 'Kept for clients that set it.'),
           ('custom_app_name', 'text', 1, 65536, NULL, 'Kept for clients that set it.'),
           ('meta_page_title', 'text', 1, 65536, NULL, 'Kept for clients that set it.'),
           ('meta_page_favicon', 'text', 1, 65536, NULL, 'Kept for clients that set it.'),
           ('logo_filename', 'text', 1, 65536, NULL, 'Kept for clients that set it.'),
           ('telemetry_id', 'text', 1, 65536, NULL, 'Kept for clients that set it; there is no telemetry.'),
           ('footer_data', 'text', 1, 65536, '[]', 'Kept for clients that set it: JSON, at most three links.'),
           ('agent_search_provider', 'text', 1, 65536, NULL, 'Kept for clients that set it.'),
           ('default_agent_skills', 'text', 1, 65536, '[]', 'Kept for clients that set it: a JSON array of names.'),
           ('disabled_agent_skills', 'text', 1, 65536, '[]', 'Kept for clients that set it: a JSON array of names.'),
           ('disabled_filesystem_skills', 'text', 1, 65536, '[]', 'Kept for clients that set it: a JSON array of names.'),
           ('disabled_create_files_skills', 'text', 1, 65536, '[]', 'Kept for clients that set it: a JSON array of names.'),
           ('disabled_gmail_skills', 'text', 1, 65536, '[]', 'Kept for clients that set it: a JSON array of names.'),
           ('disabled_google_calendar_skills', 'text', 1, 65536, '[]', 'Kept for clients that set it: a JSON array of names.'),
           ('disabled_outlook_skills', 'text', 1, 65536, '[]', 'Kept for clients that set it: a JSON array of names.'),
           ('hub_api_key', 'sealed', 1, 65536, NULL, 'Kept sealed for clients that set it.'),
           ('gmail_agent_config', 'sealed', 1, 65536, NULL, 'Kept sealed for clients that set it.'),
           ('google_calendar_agent_config', 'sealed', 1, 65536, NULL, 'Kept sealed for clients that set it.'),
           ('outlook_agent_config', 'sealed', 1, 65536, NULL, 'Kept sealed for clients that set it.'),
           ('agent_sql_connections', 'sealed', 1, 65536, NULL, 'Kept sealed for clients that set it.')
$$;
COMMENT ON FUNCTION exedra.known_settings() IS 'Every setting that a tenant can have: text, number, switch (on, off) or sealed (by the program, which alone can set it).';

CREATE OR REPLACE FUNCTION exedra.check_setting(name text, value text) RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
    known record;
BEGIN
    SELECT k.* INTO known FROM exedra.known_settings() k WHERE k.name = check_setting.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no setting "%".', name USING ERRCODE = 'EX422';
    ELSIF value IS NULL THEN
        RETURN;
    ELSIF known.kind = 'switch' AND value NOT IN ('on', 'off') THEN
        RAISE EXCEPTION 'The setting % is on or off.', name USING ERRCODE = 'EX422';
    ELSIF known.kind = 'number' AND (value !~ '^[0-9]{1,9}$' OR value::int NOT BETWEEN known.lowest AND known.highest) THEN
        RAISE EXCEPTION 'The setting % takes a whole number from % to %.', name, known.lowest, known.highest USING ERRCODE = 'EX422';
    ELSIF name = 'language' AND NOT EXISTS (SELECT FROM pg_catalog.pg_ts_config c WHERE c.cfgname::text = value) THEN
        RAISE EXCEPTION 'The database has no text search configuration "%".', value USING ERRCODE = 'EX422';
    ELSIF known.kind IN ('text', 'sealed') AND octet_length(value) NOT BETWEEN known.lowest AND known.highest THEN
        RAISE EXCEPTION 'The setting % takes a text of % to % bytes.', name, known.lowest, known.highest USING ERRCODE = 'EX422';
    ELSIF known.kind = 'sealed' AND value !~ '^([0-9a-f]{2}){40,}$' THEN
        RAISE EXCEPTION 'The setting % is a secret: it is set by the API, which seals it.', name USING ERRCODE = 'EX422';
    END IF;
END $$;
COMMENT ON FUNCTION exedra.check_setting(text, text) IS 'Raise EX422 unless a setting is known and may have this value; NULL is taking it back.';

CREATE OR REPLACE FUNCTION exedra.store_settings(wish jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    one record;
    n int;
    changed jsonb := '{}';
BEGIN
    FOR one IN SELECT w.key, w.value FROM jsonb_each_text(wish) w ORDER BY w.key LOOP
        PERFORM exedra.check_setting(one.key, one.value);
        IF one.value IS NULL THEN
            DELETE FROM exedra.setting s WHERE s.tenant_id = tenant AND s.name = one.key;
        ELSE
            INSERT INTO exedra.setting AS s (tenant_id, name, value) VALUES (tenant, one.key, one.value)
                ON CONFLICT (tenant_id, name) DO UPDATE SET value = excluded.value WHERE s.value <> excluded.value;
        END IF;
        GET DIAGNOSTICS n = ROW_COUNT;
        IF n > 0 THEN
            changed := changed || jsonb_build_object(one.key, n);
        END IF;
    END LOOP;
    RETURN changed;
END $$;
COMMENT ON FUNCTION exedra.store_settings(jsonb) IS 'What put_settings() does, without its event; the names of those that have changed.';

CREATE OR REPLACE FUNCTION exedra.put_settings(wish jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    changed constant jsonb := exedra.store_settings(wish);
BEGIN
    IF changed <> '{}' THEN
        PERFORM exedra.note_event('setting.update', NULL, NULL, exedra.keys_of(changed));
    END IF;
END $$;
COMMENT ON FUNCTION exedra.put_settings(jsonb) IS 'Set settings of the transaction''s tenant, by name; null takes one back.  Raises EX422, and then none is set.';

CREATE OR REPLACE FUNCTION exedra.setting_on(name text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT s.value FROM exedra.setting s WHERE s.tenant_id = exedra.tenant_id() AND s.name = setting_on.name),
                    (SELECT k.preset FROM exedra.known_settings() k WHERE k.name = setting_on.name)) = 'on';
END $$;
COMMENT ON FUNCTION exedra.setting_on(text) IS 'Whether a switch of the transaction''s tenant is on.';

-- ---- providers, as the tenant's own administrator sets them

CREATE OR REPLACE FUNCTION exedra.put_provider(wish jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    new_id bigint;
BEGIN
    INSERT INTO exedra.provider AS p (tenant_id, name, kind, url, sealed_key, model, context_tokens, preferred)
    VALUES (tenant, wish ->> 'name', wish ->> 'kind', wish ->> 'url', decode(wish ->> 'key', 'hex'), wish ->> 'model',
            coalesce((wish ->> 'context')::int, 8192), coalesce((wish ->> 'preferred')::boolean, false))
        ON CONFLICT ON CONSTRAINT provider_tenant_id_name_key DO UPDATE
       -- A key is bound to the address that it was given for: with another address it goes.
       SET kind = excluded.kind, url = excluded.url,
           sealed_key = CASE WHEN wish ? 'key' THEN excluded.sealed_key WHEN p.url = excluded.url THEN p.sealed_key END,
           model = CASE WHEN wish ? 'model' THEN excluded.model ELSE p.model END,
           context_tokens = CASE WHEN wish ? 'context' THEN excluded.context_tokens ELSE p.context_tokens END,
           preferred = CASE WHEN wish ? 'preferred' THEN excluded.preferred ELSE p.preferred END
    RETURNING p.id INTO new_id;
    PERFORM exedra.note_event('provider.set', new_id, wish ->> 'name', exedra.keys_of(jsonb_strip_nulls(wish - 'name')));
    RETURN new_id;
END $$;
COMMENT ON FUNCTION exedra.put_provider(jsonb) IS 'Make or change a provider of the transaction''s tenant: name, kind, url, and what else is given of key (sealed, hexadecimal), model, context and preferred; its id.';

CREATE OR REPLACE FUNCTION exedra.apply_env(providers jsonb, preferred text, settings jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
BEGIN
    -- One at a time: two that prefer different providers would meet in the index that allows one.
    PERFORM pg_advisory_xact_lock(hashtextextended('exedra.apply_env', tenant));
    PERFORM exedra.put_provider(w) FROM jsonb_array_elements(providers) w;
    IF preferred IS NOT NULL THEN
        UPDATE exedra.provider p SET preferred = false WHERE p.tenant_id = tenant AND p.preferred AND p.name <> apply_env.preferred;
        UPDATE exedra.provider p SET preferred = true WHERE p.tenant_id = tenant AND p.name = apply_env.preferred AND NOT p.preferred;
        IF NOT providers @> jsonb_build_array(jsonb_build_object('name', apply_env.preferred)) THEN
            PERFORM exedra.note_event('provider.set', NULL, apply_env.preferred, '{"changed":["preferred"]}');
        END IF;
    END IF;
    PERFORM exedra.put_settings(settings);
END $$;
COMMENT ON FUNCTION exedra.apply_env(jsonb, text, jsonb) IS 'What POST /v1/system/update-env comes to: providers of the transaction''s tenant, which one serves where a workspace names none ('''': the server''s), settings.';

-- ---- a token with which an administrator signs somebody in

CREATE OR REPLACE FUNCTION exedra.issue_token(account bigint, token bytea) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
BEGIN
    IF NOT exedra.setting_on('simple_sso') THEN
        RETURN 'off';
    ELSIF NOT exedra.setting_on('multi_user') THEN
        RETURN 'single_user';
    END IF;
    PERFORM FROM exedra.account a WHERE a.tenant_id = tenant AND a.id = account AND a.suspended_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'unknown';
    END IF;
    DELETE FROM exedra.sign_in_token t WHERE t.tenant_id = tenant AND t.account_id = account;
    INSERT INTO exedra.sign_in_token (hash, tenant_id, account_id, expires_at) VALUES (token, tenant, account, now() + interval '6 minutes');
    PERFORM exedra.note_event('token.issue', a.id, a.username) FROM exedra.account a WHERE a.tenant_id = tenant AND a.id = account;
    RETURN 'done';
END $$;
COMMENT ON FUNCTION exedra.issue_token(bigint, bytea) IS 'A token for one sign-in of an account of the transaction''s tenant within six minutes; earlier ones end.  done, unknown, off, single_user.';

CREATE OR REPLACE FUNCTION exedra.redeem_token(tenant text, token bytea, session bytea, lifetime_s int, OUT outcome text, OUT account json)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    used exedra.sign_in_token;
    a exedra.account;
BEGIN
    -- Deleted by the first who brings it: the others find none.
    DELETE FROM exedra.sign_in_token t WHERE t.hash = token RETURNING t.* INTO used;
    outcome := 'unknown';
    IF used.hash IS NULL OR used.expires_at <= now()
       OR NOT EXISTS (SELECT FROM exedra.tenant t WHERE t.id = used.tenant_id AND t.suspended_at IS NULL
                                                    AND (redeem_token.tenant IS NULL OR t.name = redeem_token.tenant)) THEN
        RETURN;
    END IF;
    PERFORM exedra.work_for(used.tenant_id, NULL, 30);
    SELECT o.* INTO a FROM exedra.account o WHERE o.tenant_id = used.tenant_id AND o.id = used.account_id AND o.suspended_at IS NULL;
    IF a.id IS NULL OR NOT exedra.setting_on('simple_sso') OR NOT exedra.setting_on('multi_user') THEN
        RETURN;
    END IF;
    PERFORM exedra.open_session(used.tenant_id, used.account_id, NULL, session, lifetime_s);
    outcome := 'done';
    account := exedra.json_user(a);
END $$;
COMMENT ON FUNCTION exedra.redeem_token(text, bytea, bytea, int) IS 'A session for who brings a token that issue_token() made: done and the account, or unknown.  The token is used up either way.';

-- ---- what an administrator does

CREATE OR REPLACE FUNCTION exedra.set_setting(tenant text, name text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    PERFORM exedra.put_settings(jsonb_build_object(name, value));
END $$;
COMMENT ON FUNCTION exedra.set_setting(text, text, text) IS 'Set a setting of a tenant; NULL takes it back.  Raises EX404, EX422.';

CREATE OR REPLACE FUNCTION exedra.list_settings(tenant text)
RETURNS TABLE (name text, value text, is_set boolean, description text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    RETURN QUERY
        SELECT k.name, CASE WHEN k.kind = 'sealed' AND s.value IS NOT NULL THEN '******' ELSE coalesce(s.value, k.preset) END,
               s.value IS NOT NULL, k.description
          FROM exedra.known_settings() k
          LEFT JOIN exedra.setting s ON s.tenant_id = exedra.tenant_id() AND s.name = k.name ORDER BY k.name;
END $$;
COMMENT ON FUNCTION exedra.list_settings(text) IS 'All settings that a tenant can have, with what they are; secrets are masked.';
