-- The two ends of a chat, as functions: a statement that does all of it at once has a plan so large that starting it takes
-- three times as long as running it (0.43 ms against 0.14).  Here each step has a small plan of its own, and what a chat does
-- not need is not asked.  They run as their caller, under row-level security.

SELECT exedra.define_type('opened_chat', '
    thread_found boolean, tenant_id bigint, chat_id bigint, workspace_id bigint, account_id bigint,
    name text, prompt text, temperature double precision, top_n int, chat_provider text, chat_model text, refusal text, mode text,
    username text, bio text,
    provider_name text, provider_url text, provider_key text, provider_model text, provider_context int,
    history text[], has_passages boolean, has_pinned boolean, similarity_threshold double precision, must_hold boolean');

CREATE OR REPLACE FUNCTION exedra.acting_account(act_as bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- plpgsql, because an SQL function that cannot be inlined is parsed anew by every statement that calls it.
    IF act_as IS NULL OR NOT exedra.is_manager() THEN
        RETURN exedra.account_id();
    END IF;
    RETURN (SELECT a.id FROM exedra.account a WHERE a.tenant_id = exedra.tenant_id() AND a.id = act_as);
END $$;
COMMENT ON FUNCTION exedra.acting_account(bigint) IS 'Whose chat it is: the caller''s, or the account that a caller who sees all names; an unknown one is nobody.';

CREATE OR REPLACE FUNCTION exedra.conversation(thread bigint, session text) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN coalesce('t' || thread, '') || coalesce('s' || session, '');
END $$;
COMMENT ON FUNCTION exedra.conversation(bigint, text) IS 'What chat.conversation holds for a thread and a session, either of which may be NULL.';

CREATE OR REPLACE FUNCTION exedra.chat_history(workspace bigint, conversation text, account bigint, most int) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
BEGIN
    -- No aggregate: to begin one takes longer than to read twenty rows.
    IF account IS NULL THEN
        RETURN ARRAY(SELECT ARRAY[c.prompt, c.answer, c.attachments::text] FROM exedra.chat c
             WHERE c.tenant_id = tenant AND c.workspace_id = workspace AND c.conversation = chat_history.conversation
               AND c.account_id IS NULL
               AND c.include AND c.answer IS NOT NULL AND c.state IN ('done', 'stopped')
             ORDER BY c.recency LIMIT most);
    END IF;
    RETURN ARRAY(SELECT ARRAY[c.prompt, c.answer, c.attachments::text] FROM exedra.chat c
         WHERE c.tenant_id = tenant AND c.account_id = account AND c.workspace_id = workspace
           AND c.conversation = chat_history.conversation
           AND c.include AND c.answer IS NOT NULL AND c.state IN ('done', 'stopped')
         ORDER BY c.recency LIMIT most);
END $$;
COMMENT ON FUNCTION exedra.chat_history(bigint, text, bigint, int) IS 'The newest exchanges of a partition, newest first: question, answer, attachments (JSON) of each.';

CREATE OR REPLACE FUNCTION exedra.open_chat(slug text, question text, mode text, session text, attachments json, origin text,
                                            ticket uuid, worker text, thread text, act_as bigint, with_history boolean)
RETURNS SETOF exedra.opened_chat LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    thread_id bigint;
    talk text;
    most int;
    o exedra.opened_chat;
BEGIN
    IF exedra.must_hold(ticket) THEN
        o.must_hold := true;
        RETURN NEXT o;
        RETURN;
    END IF;
    SELECT w.id, w.name, w.prompt, w.temperature, w.top_n, w.similarity_threshold, w.chat_provider, w.chat_model, w.refusal,
           coalesce(open_chat.mode, w.chat_mode), CASE w.history_length WHEN 0 THEN 20 ELSE w.history_length END
      INTO o.workspace_id, o.name, o.prompt, o.temperature, o.top_n, o.similarity_threshold, o.chat_provider, o.chat_model, o.refusal,
           o.mode, most
      FROM exedra.workspace w WHERE w.tenant_id = tenant AND w.slug = open_chat.slug;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF thread IS NOT NULL THEN
        SELECT t.id INTO thread_id FROM exedra.thread t
         WHERE t.tenant_id = tenant AND t.slug = open_chat.thread AND t.workspace_id = o.workspace_id;
    END IF;
    o.thread_found := thread IS NULL OR thread_id IS NOT NULL;
    IF o.thread_found THEN
        o.tenant_id := tenant;
        IF act_as IS NULL THEN
            o.account_id := exedra.account_id();
        ELSE
            o.account_id := exedra.acting_account(act_as);
        END IF;
        talk := coalesce('t' || thread_id, '') || coalesce('s' || session, '');
        IF with_history THEN
            o.history := exedra.chat_history(o.workspace_id, talk, o.account_id, most);
        END IF;
        INSERT INTO exedra.chat (tenant_id, workspace_id, thread_id, api_session_id, account_id, conversation, origin, mode, prompt,
               attachments)
        VALUES (tenant, o.workspace_id, thread_id, session, o.account_id, talk, open_chat.origin, o.mode, question, open_chat.attachments);
        o.chat_id := currval('exedra.chat_id_seq');
        INSERT INTO exedra.open_chat (tenant_id, chat_id, ticket, worker)
        VALUES (tenant, o.chat_id, open_chat.ticket, open_chat.worker);
        IF o.account_id IS NOT NULL THEN
            SELECT a.username, a.bio INTO o.username, o.bio FROM exedra.account a WHERE a.tenant_id = tenant AND a.id = o.account_id;
        END IF;
        IF o.chat_provider IS NULL THEN
            SELECT p.name, p.url, encode(p.sealed_key, 'hex'), p.model, p.context_tokens
              INTO o.provider_name, o.provider_url, o.provider_key, o.provider_model, o.provider_context
              FROM exedra.provider p WHERE p.tenant_id = tenant AND p.preferred;
        ELSE
            SELECT p.name, p.url, encode(p.sealed_key, 'hex'), p.model, p.context_tokens
              INTO o.provider_name, o.provider_url, o.provider_key, o.provider_model, o.provider_context
              FROM exedra.provider p WHERE p.tenant_id = tenant AND p.name = o.chat_provider;
        END IF;
        o.has_passages := false;
        IF EXISTS (SELECT FROM exedra.workspace_document l WHERE l.tenant_id = tenant AND l.workspace_id = o.workspace_id) THEN
            o.has_passages := EXISTS (
                SELECT FROM exedra.workspace_document l
                  JOIN exedra.document d ON d.tenant_id = tenant AND d.id = l.document_id
                  JOIN exedra.document_version v ON v.tenant_id = tenant AND v.id = d.version_id
                 WHERE l.tenant_id = tenant AND l.workspace_id = o.workspace_id AND v.n_chunks > 0);
            o.has_pinned := EXISTS (
                SELECT FROM exedra.workspace_document l WHERE l.tenant_id = tenant AND l.workspace_id = o.workspace_id AND l.pinned);
        END IF;
    END IF;
    RETURN NEXT o;
END $$;
COMMENT ON FUNCTION exedra.open_chat(text, text, text, text, json, text, uuid, text, text, bigint, boolean) IS 'Put a question on record and read all that answering it needs; no row when there is no such workspace, nothing on record when there is no such thread, nor where must_hold says that the request has to take its limits first.';

CREATE OR REPLACE FUNCTION exedra.open_free_chat(question text, attachments json, origin text, ticket uuid, worker text,
                                                 OUT chat_id bigint, OUT account_id bigint, OUT must_hold boolean) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.any_workspace();
    account_id := exedra.account_id();
    must_hold := exedra.must_hold(ticket);
    IF must_hold THEN
        RETURN;
    END IF;
    INSERT INTO exedra.chat AS c (tenant_id, account_id, origin, mode, prompt, attachments)
    VALUES (exedra.tenant_id(), open_free_chat.account_id, open_free_chat.origin, 'chat', question, open_free_chat.attachments)
    RETURNING c.id INTO open_free_chat.chat_id;
    INSERT INTO exedra.open_chat (tenant_id, chat_id, ticket, worker)
    VALUES (exedra.tenant_id(), open_free_chat.chat_id, open_free_chat.ticket, open_free_chat.worker);
END $$;
COMMENT ON FUNCTION exedra.open_free_chat(text, json, text, uuid, text) IS 'Put a question on record that goes to a model without a workspace; EX403 for a key that is limited to workspaces.';

CREATE OR REPLACE FUNCTION exedra.keep_answers(tenants bigint[], chats bigint[], tickets uuid[], answers text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    one bigint;
BEGIN
    FOR one IN SELECT DISTINCT t FROM unnest(tenants) t LOOP
        PERFORM set_config('exedra.tenant_id', one::text, true), set_config('exedra.role', '30', true);
        -- Who is just being closed is left alone and not waited for: others wait for this.
        WITH mine AS (
            SELECT c.id, u.answer FROM unnest(tenants, chats, tickets, answers) u (owner_id, chat_id, ticket, answer)
              JOIN exedra.open_chat o ON o.tenant_id = one AND o.chat_id = u.chat_id AND o.ticket = u.ticket
              JOIN exedra.chat c ON c.tenant_id = one AND c.id = u.chat_id AND c.state = 'open'
             WHERE u.owner_id = one
               FOR NO KEY UPDATE OF c SKIP LOCKED
        )
        UPDATE exedra.chat c SET answer = m.answer, changed_at = now() FROM mine m WHERE c.tenant_id = one AND c.id = m.id;
    END LOOP;
END $$;
COMMENT ON FUNCTION exedra.keep_answers(bigint[], bigint[], uuid[], text[]) IS 'Store what has come so far of the answers of open chats, whose tickets tell that they are the caller''s.';

CREATE OR REPLACE FUNCTION exedra.close_chat(tenant bigint, chat bigint, ticket uuid, state text, include boolean, answer text,
                                             sources json, metrics json, reason text, provider text, model text,
                                             prompt_tokens bigint, completion_tokens bigint, estimated boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    room bigint;
    who bigint;
    was text;
BEGIN
    -- Assigned and not performed: an expression costs a third of a statement.
    was := set_config('exedra.tenant_id', tenant::text, true);
    was := set_config('exedra.role', '30', true);
    DELETE FROM exedra.open_chat o WHERE o.tenant_id = tenant AND o.chat_id = chat AND o.ticket = close_chat.ticket;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'chat_gone' USING ERRCODE = 'EX410';
    END IF;
    -- What was reset while it was answered stays so.
    UPDATE exedra.chat c
       SET state = close_chat.state::exedra.chat_state, include = close_chat.include AND c.include, answer = close_chat.answer,
           sources = close_chat.sources, metrics = close_chat.metrics, reason = close_chat.reason, changed_at = now()
     WHERE c.tenant_id = tenant AND c.id = chat
    RETURNING c.workspace_id, c.account_id INTO room, who;
    IF provider IS NOT NULL THEN
        INSERT INTO exedra.usage (tenant_id, chat_id, workspace_id, account_id, provider, model, prompt_tokens, completion_tokens, estimated)
        VALUES (tenant, chat, room, who, provider, model, prompt_tokens, completion_tokens, estimated);
    END IF;
END $$;
COMMENT ON FUNCTION exedra.close_chat(bigint, bigint, uuid, text, boolean, text, json, json, text, text, text, bigint, bigint, boolean) IS 'Store what became of an open chat and charge it, in one commit; EX410 when the chat is no longer open under this ticket.';

-- What foreign keys would do, where they would do it for every chat: see exedra.chat in the schema.

CREATE OR REPLACE FUNCTION exedra.chat_gone() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was constant text := current_setting('exedra.tenant_id', true);
BEGIN
    PERFORM set_config('exedra.tenant_id', OLD.tenant_id::text, true);
    DELETE FROM exedra.open_chat o WHERE o.tenant_id = OLD.tenant_id AND o.chat_id = OLD.id;
    PERFORM set_config('exedra.tenant_id', coalesce(was, ''), true);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION exedra.chat_gone() IS 'Trigger: a chat that is deleted while a model answers it is open no more, which its worker finds out within a second.';
SELECT exedra.define_trigger('chat', 'chat_gone',
    'AFTER DELETE ON %s FOR EACH ROW WHEN (OLD.state = ''open'') EXECUTE FUNCTION exedra.chat_gone()');

CREATE OR REPLACE FUNCTION exedra.chat_has_tenant() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM exedra.tenant t WHERE t.id = NEW.tenant_id FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no tenant %.', NEW.tenant_id USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION exedra.chat_has_tenant() IS 'Trigger: a chat without a workspace has a tenant nevertheless.';
SELECT exedra.define_trigger('chat', 'chat_has_tenant',
    'AFTER INSERT OR UPDATE OF tenant_id, workspace_id ON %s FOR EACH ROW WHEN (NEW.workspace_id IS NULL) EXECUTE FUNCTION exedra.chat_has_tenant()');

CREATE OR REPLACE FUNCTION exedra.tenant_gone() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was_tenant constant text := current_setting('exedra.tenant_id', true);
    was_role constant text := current_setting('exedra.role', true);
BEGIN
    PERFORM set_config('exedra.tenant_id', OLD.id::text, true), set_config('exedra.role', '30', true);
    DELETE FROM exedra.chat c WHERE c.tenant_id = OLD.id AND c.workspace_id IS NULL;
    PERFORM set_config('exedra.tenant_id', coalesce(was_tenant, ''), true), set_config('exedra.role', coalesce(was_role, ''), true);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION exedra.tenant_gone() IS 'Trigger: with a tenant go its chats without a workspace.';
SELECT exedra.define_trigger('tenant', 'tenant_gone', 'AFTER DELETE ON %s FOR EACH ROW EXECUTE FUNCTION exedra.tenant_gone()');

SELECT exedra.define_type('chat_response_json', '"text" text, "sources" json, "attachments" json, "type" text, "metrics" json');
SELECT exedra.define_type('chat_row_json', '
    "id" bigint, "workspaceId" bigint, "prompt" text, "response" text, "include" boolean, "user_id" bigint, "thread_id" bigint,
    "api_session_id" text, "createdAt" text, "lastUpdatedAt" text, "feedbackScore" boolean, "memoryProcessed" boolean, "workspace" json,
    "user" json');
CREATE OR REPLACE FUNCTION exedra.asker(c exedra.chat) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT a.username::text FROM exedra.account a WHERE a.tenant_id = c.tenant_id AND a.id = c.account_id),
                    CASE WHEN c.api_session_id IS NULL THEN 'unknown user' ELSE 'API' END)
$$;
COMMENT ON FUNCTION exedra.asker(exedra.chat) IS 'Who asked, as lists of chats name them.';
CREATE OR REPLACE FUNCTION exedra.json_chat_row(c exedra.chat, workspace_name text, workspace_slug text) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(c.id, c.workspace_id, c.prompt,
        row_to_json(ROW(c.answer, c.sources, c.attachments, c.mode, c.metrics)::exedra.chat_response_json)::text,
        c.include, c.account_id, c.thread_id, c.api_session_id, exedra.iso(c.created_at), exedra.iso(c.changed_at), c.feedback, NULL,
        ('{"name":' || to_json(coalesce(workspace_name, 'deleted workspace')) || ',"slug":' || coalesce(to_json(workspace_slug)::text, 'null') || '}')::json,
        ('{"username":' || to_json(exedra.asker(c)) || '}')::json)::exedra.chat_row_json)
$$;
COMMENT ON FUNCTION exedra.json_chat_row(exedra.chat, text, text) IS 'A chat as AnythingLLM''s lists for administrators show it.';
