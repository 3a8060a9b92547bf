-- Embeds: chats in web pages.  Visitors have no key; the embed's address says whose guests they are.

CREATE OR REPLACE FUNCTION exedra.enter_embed(address text, read_only boolean, program int, tenant text) RETURNS exedra.entered
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    e exedra.entered;
    holder text;
BEGIN
    PERFORM exedra.check_version(program);
    SELECT a.tenant_id, 20, t.name, t.limited INTO e.tenant_id, e.role, holder, e.limited
      FROM exedra.embed_address a JOIN exedra.tenant t ON t.id = a.tenant_id
     WHERE a.uuid = address AND t.suspended_at IS NULL;
    IF NOT FOUND OR holder <> enter_embed.tenant THEN
        RAISE EXCEPTION 'embed_unknown' USING ERRCODE = 'EX404';
    END IF;
    PERFORM set_config('exedra.tenant_id', e.tenant_id::text, true),
            set_config('exedra.account_id', '', true),
            set_config('exedra.role', e.role::text, true),
            set_config('exedra.key', CASE WHEN e.limited THEN '-0' ELSE '' END, true),
            CASE WHEN read_only THEN set_config('transaction_read_only', 'on', true) END;
    RETURN e;
END $$;
COMMENT ON FUNCTION exedra.enter_embed(text, boolean, int, text) IS 'Begin a transaction for a visitor of an embed: its tenant, or EX404, EX503.';

CREATE OR REPLACE FUNCTION exedra.embed_lets(e exedra.embed, origin text, open boolean) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN e.origins IS NULL THEN open ELSE coalesce(origin = ANY (e.origins), false) END $$;
COMMENT ON FUNCTION exedra.embed_lets(exedra.embed, text, boolean) IS 'May a page of this origin (NULL: not said) use the embed?  open: what holds for an embed without a list.';

CREATE OR REPLACE FUNCTION exedra.embed_conversation(e exedra.embed, session text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT 'e' || e.id || 's' || session $$;
COMMENT ON FUNCTION exedra.embed_conversation(exedra.embed, text) IS 'What chat.conversation holds for a session of an embed.';

-- What the original stores of an embed: no refusal, no failure.  A refusal costs nothing and has no metrics.
CREATE OR REPLACE FUNCTION exedra.embed_keeps(c exedra.chat) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT c.state <> 'open' AND (c.metrics::text <> '{}' OR c.include AND c.answer IS NOT NULL) $$;
COMMENT ON FUNCTION exedra.embed_keeps(exedra.chat) IS 'Whether a chat of an embed counts, and is in its lists.';

CREATE OR REPLACE FUNCTION exedra.check_embed_limits(e exedra.embed, session text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    since constant timestamptz := now() - interval '24 hours';
    n bigint;
    oldest timestamptz;
BEGIN
    -- An open chat holds its place, whatever becomes of it.
    IF e.daily_limit IS NOT NULL THEN
        SELECT count(*), min(x.created_at) INTO n, oldest FROM (
            SELECT c.created_at FROM exedra.chat c
             WHERE c.tenant_id = e.tenant_id AND c.embed_id = e.id AND c.created_at > since AND (c.state = 'open' OR exedra.embed_keeps(c))
             ORDER BY c.created_at DESC LIMIT e.daily_limit) x;
        IF n >= e.daily_limit THEN
            RAISE EXCEPTION 'embed_quota' USING ERRCODE = 'EX429', DETAIL = ceil(extract(epoch FROM oldest - since))::int + 1;
        END IF;
    END IF;
    IF e.session_limit IS NOT NULL THEN
        SELECT count(*), min(x.created_at) INTO n, oldest FROM (
            SELECT c.created_at FROM exedra.chat c
             WHERE c.tenant_id = e.tenant_id AND c.workspace_id = e.workspace_id
               AND c.conversation = exedra.embed_conversation(e, session)
               AND c.created_at > since AND (c.state = 'open' OR exedra.embed_keeps(c))
             ORDER BY c.recency LIMIT e.session_limit) x;
        IF n >= e.session_limit THEN
            RAISE EXCEPTION 'embed_session_quota' USING ERRCODE = 'EX429', DETAIL = ceil(extract(epoch FROM oldest - since))::int + 1;
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION exedra.check_embed_limits(exedra.embed, text) IS 'EX429 when an embed, or one session of it, has had its chats of the last 24 hours; the detail is in how many seconds there is room again.';

CREATE OR REPLACE FUNCTION exedra.open_embed_chat(address text, question text, session text, visitor text, ticket uuid, worker text)
RETURNS SETOF exedra.opened_chat LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    e exedra.embed;
    o exedra.opened_chat;
BEGIN
    SELECT * INTO e FROM exedra.embed x WHERE x.tenant_id = tenant AND x.uuid = address AND x.enabled;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF e.daily_limit IS NOT NULL OR e.session_limit IS NOT NULL THEN
        -- Once without waiting: who is too late anyway need not stand in line.
        PERFORM exedra.check_embed_limits(e, session);
        PERFORM pg_advisory_xact_lock(hashtextextended(address, 0));
        PERFORM exedra.check_embed_limits(e, session);
    END IF;
    SELECT x.* INTO o FROM exedra.workspace w,
           exedra.open_chat(w.slug, question, e.chat_mode, session, '[]', 'embed', ticket, worker, NULL, NULL, false) x
     WHERE w.tenant_id = tenant AND w.id = e.workspace_id;
    IF NOT FOUND THEN
        RETURN;
    ELSIF o.must_hold THEN
        RETURN NEXT o;
        RETURN;
    END IF;
    UPDATE exedra.chat c
       SET embed_id = e.id, conversation = exedra.embed_conversation(e, session), visitor = open_embed_chat.visitor
     WHERE c.tenant_id = tenant AND c.id = o.chat_id;
    o.history := exedra.chat_history(e.workspace_id, exedra.embed_conversation(e, session), NULL, coalesce(e.history_length, 20));
    IF NOT o.has_passages THEN
        o.refusal := NULL;
    END IF;
    RETURN NEXT o;
END $$;
COMMENT ON FUNCTION exedra.open_embed_chat(text, text, text, text, uuid, text) IS 'Put a visitor''s question on record, as exedra.open_chat() does; no row when the embed is gone or shut, EX429 when its limits are reached.';

-- ---- what administrators do

SELECT exedra.define_type('embed_json', '
    "id" bigint, "uuid" text, "enabled" boolean, "chat_mode" text, "allowlist_domains" text, "allow_model_override" boolean,
    "allow_temperature_override" boolean, "allow_prompt_override" boolean, "max_chats_per_day" int, "max_chats_per_session" int,
    "message_limit" int, "workspace_id" bigint, "createdBy" bigint, "usersId" bigint, "createdAt" text');
CREATE OR REPLACE FUNCTION exedra.json_embed(e exedra.embed) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(e.id, e.uuid, e.enabled, e.chat_mode, array_to_json(e.origins)::text, e.takes_model, e.takes_temperature,
        e.takes_prompt, e.daily_limit, e.session_limit, e.history_length, e.workspace_id, NULL, NULL,
        exedra.iso(e.created_at))::exedra.embed_json)
$$;
COMMENT ON FUNCTION exedra.json_embed(exedra.embed) IS 'An embed as AnythingLLM''s API shows a new one.';

SELECT exedra.define_type('embed_workspace_json', '"id" bigint, "name" text');
SELECT exedra.define_type('embed_item_json', '
    "id" bigint, "uuid" text, "enabled" boolean, "chat_mode" text, "createdAt" text, "workspace" json, "chat_count" bigint');
CREATE OR REPLACE FUNCTION exedra.json_embed_item(e exedra.embed, workspace text, chats bigint) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(e.id, e.uuid, e.enabled, e.chat_mode, exedra.iso(e.created_at),
        row_to_json(ROW(e.workspace_id, workspace)::exedra.embed_workspace_json), chats)::exedra.embed_item_json)
$$;
COMMENT ON FUNCTION exedra.json_embed_item(exedra.embed, text, bigint) IS 'An embed as AnythingLLM''s list shows it.';

SELECT exedra.define_type('embed_response_json', '"text" text, "type" text, "sources" json, "metrics" json');
SELECT exedra.define_type('embed_chat_json', '
    "id" bigint, "prompt" text, "response" text, "session_id" text, "include" boolean, "connection_information" text, "embed_id" bigint,
    "usersId" bigint, "createdAt" text');
CREATE OR REPLACE FUNCTION exedra.json_embed_chat(c exedra.chat) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(c.id, c.prompt,
        row_to_json(ROW(coalesce(c.answer, ''), c.mode, c.sources, c.metrics)::exedra.embed_response_json)::text,
        c.api_session_id, c.include, c.visitor, c.embed_id, NULL, exedra.iso(c.created_at))::exedra.embed_chat_json)
$$;
COMMENT ON FUNCTION exedra.json_embed_chat(exedra.chat) IS 'A visitor''s chat as AnythingLLM''s API shows it to an administrator.';

CREATE OR REPLACE FUNCTION exedra.json_visitor_history(c exedra.chat) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW('user', c.prompt, exedra.epoch(c.created_at), c.attachments,
               c.id)::exedra.history_user_json) || ',' ||
           row_to_json(ROW(c.mode, 'assistant', c.answer, '[]'::json, c.id, exedra.epoch(c.created_at),
               NULL::boolean, c.metrics)::exedra.history_assistant_json)
$$;
COMMENT ON FUNCTION exedra.json_visitor_history(exedra.chat) IS 'A visitor''s chat as the two items of a history; what it was answered from is not for their eyes.';

CREATE OR REPLACE FUNCTION exedra.new_embed(slug text, members jsonb) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    e exedra.embed;
BEGIN
    INSERT INTO exedra.embed (tenant_id, uuid, workspace_id, chat_mode, origins, takes_model, takes_temperature, takes_prompt,
                              daily_limit, session_limit, history_length)
    SELECT w.tenant_id, gen_random_uuid()::text, w.id, coalesce(n.chat_mode, 'query'), n.origins, coalesce(n.takes_model, false),
           coalesce(n.takes_temperature, false), coalesce(n.takes_prompt, false), n.daily_limit, n.session_limit, n.history_length
      FROM exedra.workspace w, jsonb_populate_record(NULL::exedra.embed, members) n
     WHERE w.tenant_id = exedra.tenant_id() AND w.slug = new_embed.slug
    RETURNING * INTO e;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO exedra.embed_address (uuid, tenant_id, embed_id) VALUES (e.uuid, e.tenant_id, e.id);
    PERFORM exedra.note_event('embed.create', e.id, e.uuid, json_build_object('workspace', slug));
    RETURN exedra.json_embed(e);
END $$;
COMMENT ON FUNCTION exedra.new_embed(text, jsonb) IS 'Make an embed of a workspace and give it an address; NULL when there is no such workspace.';

CREATE OR REPLACE FUNCTION exedra.change_embed(address text, members jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    changed bigint;
BEGIN
    IF members ? 'workspace_id'
       AND NOT EXISTS (SELECT FROM exedra.workspace w WHERE w.tenant_id = tenant AND w.id = (members ->> 'workspace_id')::bigint) THEN
        RETURN 'no workspace';
    END IF;
    UPDATE exedra.embed e
       SET (enabled, chat_mode, origins, takes_model, takes_temperature, takes_prompt, daily_limit, session_limit, history_length, workspace_id) = (
           SELECT n.enabled, n.chat_mode, n.origins, n.takes_model, n.takes_temperature, n.takes_prompt, n.daily_limit, n.session_limit,
                  n.history_length, n.workspace_id
             FROM jsonb_populate_record(e, members) n)
     WHERE e.tenant_id = tenant AND e.uuid = address RETURNING e.id INTO changed;
    IF changed IS NOT NULL THEN
        PERFORM exedra.note_event('embed.update', changed, address, exedra.keys_of(members));
    END IF;
    RETURN CASE WHEN changed IS NOT NULL THEN 'done' ELSE 'unknown' END;
END $$;
COMMENT ON FUNCTION exedra.change_embed(text, jsonb) IS 'Change the columns of an embed that are named: done, unknown or no workspace.';
