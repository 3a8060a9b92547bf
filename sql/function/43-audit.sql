-- Who changed what: administration and security, not chats or reads.  A change and its event are one transaction; what a request
-- came from is said before it by note_origin(), and what nobody has said it for is an operator at psql or exedractl.

CREATE OR REPLACE FUNCTION exedra.known_actions() RETURNS TABLE (action text, description text) LANGUAGE sql IMMUTABLE AS $$
    VALUES ('account.create', 'An account was made; object: the account.'),
           ('account.delete', 'An account was deleted with its keys, threads and chats.'),
           ('account.password', 'Somebody has given their own account another password.'),
           ('account.resume', 'A suspended account was opened again.'),
           ('account.suspend', 'An account was shut with all of its keys.'),
           ('account.update', 'An account was changed; detail: which columns.'),
           ('chat.export', 'All chats were exported; detail: the format.'),
           ('document.delete', 'Documents or files were deleted, several at a time; detail: how many.'),
           ('embed.create', 'An embed was made; object: the embed, by its address.'),
           ('embed.delete', 'An embed was deleted with its chats.'),
           ('embed.update', 'An embed was changed; detail: which columns.'),
           ('embedder.set', 'Another embedder was named; object: the workspace, none for the tenant.'),
           ('folder.delete', 'A folder was deleted with its documents.'),
           ('invite.claim', 'Somebody has made an account by an invite; object: the invite.'),
           ('invite.create', 'An invite was made.'),
           ('invite.disable', 'An invite was shut.'),
           ('key.create', 'A key was made; object: the key, by its label and its last characters.'),
           ('key.delete', 'A key was deleted.'),
           ('key.resume', 'A suspended key was opened again.'),
           ('key.suspend', 'A key was shut.'),
           ('limit.set', 'A limit was set or taken back; object: the account, key or tenant; detail: to what.'),
           ('provider.delete', 'A provider was deleted.'),
           ('provider.set', 'A provider was made or changed; detail: what was given.'),
           ('retention.delete', 'What was older than it is kept was deleted; object: which kind, detail: how many.'),
           ('session.close', 'Somebody has signed out; object: the account.'),
           ('session.open', 'Somebody has signed in.'),
           ('session.refuse', 'A sign-in failed, or who changes a password did not know the old one; object: the account, none when there is no such name.'),
           ('session.revoke', 'The sessions of an account were ended; detail: how many.'),
           ('session.throttle', 'A name was tried too often: it is shut for three minutes.'),
           ('setting.update', 'Settings were changed; detail: their names.'),
           ('tenant.create', 'The tenant was made.'),
           ('tenant.delete', 'The tenant was deleted.'),
           ('tenant.export', 'All that the tenant has was exported.'),
           ('tenant.import', 'All that a tenant had was imported.'),
           ('tenant.resume', 'The suspended tenant was opened again.'),
           ('tenant.suspend', 'The tenant was shut.'),
           ('token.issue', 'A token was made with which an account can sign in once.'),
           ('workspace.create', 'A workspace was made.'),
           ('workspace.delete', 'A workspace was deleted with its chats.'),
           ('workspace.members', 'Accounts were let into a workspace, or not any more; detail: their ids.'),
           ('workspace.reset', 'All files were taken out of a workspace.'),
           ('workspace.update', 'A workspace was changed; detail: which columns.')
$$;
COMMENT ON FUNCTION exedra.known_actions() IS 'Every action that an event can have.';

CREATE OR REPLACE FUNCTION exedra.note_origin(address text, request_id text, origin text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('exedra.origin', note_origin.origin, true), set_config('exedra.address', coalesce(left(note_origin.address, 64), ''), true),
            set_config('exedra.request_id', left(note_origin.request_id, 64), true);
END $$;
COMMENT ON FUNCTION exedra.note_origin(text, text, text) IS 'Where the rest of this transaction comes from, for its events: address, request, origin (key, worker, nobody).';

CREATE OR REPLACE FUNCTION exedra.note_event(action text, object_id bigint, object_name text, detail json DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    e exedra.event;
BEGIN
    IF NOT EXISTS (SELECT FROM exedra.known_actions() k WHERE k.action = note_event.action) THEN
        RAISE EXCEPTION 'There is no action "%".', action USING ERRCODE = 'EX422';
    END IF;
    e.actor := nullif(current_setting('exedra.origin', true), '');
    IF e.actor <> 'worker' THEN
        e.credential_id := exedra.key_id();
    END IF;
    IF e.actor IS NULL THEN
        e.actor := 'operator';
        e.actor_name := session_user;
        e.address := host(inet_client_addr());
    ELSIF e.actor <> 'worker' AND exedra.account_id() IS NOT NULL THEN
        e.actor := 'account';
        e.actor_id := exedra.account_id();
        e.actor_name := (SELECT a.username FROM exedra.account a WHERE a.tenant_id = tenant AND a.id = e.actor_id);
    ELSIF e.actor = 'key' THEN
        e.actor_id := e.credential_id;
        e.actor_name := (SELECT coalesce(nullif(c.label, ''), '...' || c.hint) FROM exedra.credential c
                          WHERE c.tenant_id = tenant AND c.id = e.actor_id);
    END IF;
    INSERT INTO exedra.event (tenant_id, action, actor, actor_id, actor_name, credential_id, object_id, object_name, detail, address, request_id)
    VALUES (tenant, note_event.action, e.actor, e.actor_id, left(e.actor_name, 255), e.credential_id, note_event.object_id, left(note_event.object_name, 255),
            note_event.detail, coalesce(e.address, nullif(current_setting('exedra.address', true), '')),
            nullif(current_setting('exedra.request_id', true), ''));
END $$;
COMMENT ON FUNCTION exedra.note_event(text, bigint, text, json) IS 'Write an event of the transaction''s tenant: what was done, to which object; who did it, the transaction tells.';

CREATE OR REPLACE FUNCTION exedra.keys_of(members jsonb) RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT json_build_object('changed', coalesce(json_agg(k ORDER BY k), '[]')) FROM jsonb_object_keys(members) k
$$;
COMMENT ON FUNCTION exedra.keys_of(jsonb) IS 'The detail of an event that tells which members were changed, not to what.';

-- Rights keep the workers and the administrator's role from it; this keeps the owner from it too, who might be the workers' role.
CREATE OR REPLACE FUNCTION exedra.event_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('exedra.expiring', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'Events are not changed, and deleted by retention only.' USING ERRCODE = 'EX403';
END $$;
COMMENT ON FUNCTION exedra.event_stays() IS 'Trigger: an event is neither changed nor deleted, but by exedra.expire().';
SELECT exedra.define_trigger('event', 'event_stays', 'BEFORE UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION exedra.event_stays()');
SELECT exedra.define_trigger('event', 'event_stays_whole', 'BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION exedra.event_stays()');

-- ---- reading

SELECT exedra.define_type('event_json', '
    "id" bigint, "occurredAt" text, "action" text, "actor" text, "actorId" bigint, "actorName" text, "credentialId" bigint, "objectId" bigint,
    "objectName" text, "detail" json, "address" text, "requestId" text');
CREATE OR REPLACE FUNCTION exedra.json_event(e exedra.event) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(e.id, exedra.iso(e.at), e.action, e.actor, e.actor_id, e.actor_name, e.credential_id, e.object_id, e.object_name,
        e.detail, e.address, e.request_id)::exedra.event_json)
$$;
COMMENT ON FUNCTION exedra.json_event(exedra.event) IS 'An event as the API shows it.';

CREATE OR REPLACE FUNCTION exedra.list_events(tenant text DEFAULT NULL, since timestamptz DEFAULT NULL, action text DEFAULT NULL)
RETURNS TABLE (tenant_name text, id bigint, at timestamptz, event_action text, actor text, actor_id bigint, actor_name text, credential_id bigint,
               object_id bigint, object_name text, detail json, address text, request_id text) LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    IF action IS NOT NULL AND NOT EXISTS (SELECT FROM exedra.known_actions() k WHERE k.action = list_events.action) THEN
        RAISE EXCEPTION 'There is no action "%".', action USING ERRCODE = 'EX422';
    END IF;
    FOR one IN SELECT t.id, t.name FROM exedra.every_tenant(tenant) t LOOP
        PERFORM exedra.work_for(one.id, NULL, 30);
        RETURN QUERY
            SELECT one.name, e.id, e.at, e.action::text, e.actor, e.actor_id, e.actor_name, e.credential_id, e.object_id, e.object_name, e.detail,
                   e.address, e.request_id
              FROM exedra.event e
             WHERE e.tenant_id = exedra.tenant_id() AND (since IS NULL OR e.at >= since)
               AND (list_events.action IS NULL OR e.action = list_events.action)
             ORDER BY e.id;
    END LOOP;
END $$;
COMMENT ON FUNCTION exedra.list_events(text, timestamptz, text) IS 'Events, of one tenant or of all, also of those that are gone; since then, and with this action.  Raises EX404, EX422.';

CREATE OR REPLACE FUNCTION exedra.every_tenant(tenant text DEFAULT NULL) RETURNS TABLE (id bigint, name text) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
        SELECT t.id, t.name::text FROM exedra.tenant t WHERE every_tenant.tenant IS NULL OR t.name = every_tenant.tenant
        UNION ALL
        SELECT f.id, f.name::text FROM exedra.former_tenant f WHERE every_tenant.tenant IS NULL OR f.name = every_tenant.tenant
        ORDER BY 1;
    IF NOT FOUND AND tenant IS NOT NULL THEN
        RAISE EXCEPTION 'There is no tenant named "%".', tenant USING ERRCODE = 'EX404';
    END IF;
END $$;
COMMENT ON FUNCTION exedra.every_tenant(text) IS 'All tenants, also those that were deleted and have left rows of the ledger or events; or those of a name.';

-- ---- retention

CREATE OR REPLACE FUNCTION exedra.retained_days(what text, server_days int) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT s.value::int FROM exedra.setting s WHERE s.tenant_id = exedra.tenant_id() AND s.name = 'retain_' || what), server_days);
END $$;
COMMENT ON FUNCTION exedra.retained_days(text, int) IS 'How many days chats, visitors'' chats, usage or events of the transaction''s tenant are kept: its own setting, else the server''s; 0: for ever.';

CREATE OR REPLACE FUNCTION exedra.expire(what text, server_days int, after bigint, most int, OUT n bigint, OUT next_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    days constant int := exedra.retained_days(what, server_days);
    too_old constant timestamptz := now() - make_interval(days => days);
    young boolean;
BEGIN
    n := 0;
    IF days < 1 THEN
        RETURN;
    END IF;
    PERFORM set_config('exedra.expiring', 'on', true);
    CASE what
        WHEN 'chats' THEN
            -- In the order of ids, which is that of time, up to a page on which nothing is too old: an index by time would cost every chat.
            WITH page AS MATERIALIZED (
                SELECT c.id, c.created_at, c.embed_id, c.state FROM exedra.chat c
                 WHERE c.tenant_id = tenant AND c.id > after ORDER BY c.id LIMIT most
            ), gone AS (
                DELETE FROM exedra.chat c USING page p
                 WHERE c.tenant_id = tenant AND c.id = p.id AND p.created_at < too_old AND p.embed_id IS NULL AND p.state <> 'open'
                RETURNING c.id
            )
            SELECT (SELECT count(*) FROM gone), max(p.id), count(*) < most OR bool_and(p.created_at >= too_old)
              INTO n, next_id, young FROM page p;
            IF young THEN
                next_id := NULL;
            END IF;
        WHEN 'visitors' THEN
            WITH page AS MATERIALIZED (
                SELECT o.id FROM exedra.embed e,
                       LATERAL (SELECT c.id FROM exedra.chat c
                                 WHERE c.tenant_id = tenant AND c.embed_id = e.id AND c.created_at < too_old AND c.state <> 'open'
                                 ORDER BY c.created_at LIMIT most) o
                 WHERE e.tenant_id = tenant LIMIT most
            )
            DELETE FROM exedra.chat c USING page p WHERE c.tenant_id = tenant AND c.id = p.id;
            GET DIAGNOSTICS n = ROW_COUNT;
        WHEN 'usage' THEN
            WITH page AS MATERIALIZED (
                SELECT u.id FROM exedra.usage u WHERE u.tenant_id = tenant AND u.at < too_old ORDER BY u.at LIMIT most
            )
            DELETE FROM exedra.usage u USING page p WHERE u.tenant_id = tenant AND u.id = p.id;
            GET DIAGNOSTICS n = ROW_COUNT;
        WHEN 'events' THEN
            WITH page AS MATERIALIZED (
                SELECT e.id FROM exedra.event e WHERE e.tenant_id = tenant AND e.at < too_old ORDER BY e.at LIMIT most
            )
            DELETE FROM exedra.event e USING page p WHERE e.tenant_id = tenant AND e.id = p.id;
            GET DIAGNOSTICS n = ROW_COUNT;
    END CASE;
    PERFORM set_config('exedra.expiring', '', true);
    IF what <> 'chats' AND n >= most THEN
        next_id := 0;
    END IF;
    IF n > 0 THEN
        PERFORM exedra.note_event('retention.delete', NULL, what, json_build_object('n', n, 'days', days));
    END IF;
END $$;
COMMENT ON FUNCTION exedra.expire(text, int, bigint, int) IS 'Delete at most so many rows that are older than they are kept (chats, visitors, usage, events) of the transaction''s tenant, and after which id to go on: NULL when all is done.  Rows of the last day are out of its reach.';

CREATE OR REPLACE FUNCTION exedra.has_expired(what text, server_days int) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    days constant int := exedra.retained_days(what, server_days);
    too_old constant timestamptz := now() - make_interval(days => days);
BEGIN
    IF days < 1 THEN
        RETURN false;
    END IF;
    CASE what
        WHEN 'chats' THEN
            RETURN coalesce((SELECT c.created_at FROM exedra.chat c WHERE c.tenant_id = tenant ORDER BY c.id LIMIT 1) < too_old, false);
        WHEN 'visitors' THEN
            RETURN EXISTS (SELECT FROM exedra.embed e,
                                  LATERAL (SELECT c.id FROM exedra.chat c
                                            WHERE c.tenant_id = tenant AND c.embed_id = e.id AND c.created_at < too_old LIMIT 1) o
                            WHERE e.tenant_id = tenant);
        WHEN 'usage' THEN
            RETURN EXISTS (SELECT FROM exedra.usage u WHERE u.tenant_id = tenant AND u.at < too_old);
        WHEN 'events' THEN
            RETURN EXISTS (SELECT FROM exedra.event e WHERE e.tenant_id = tenant AND e.at < too_old);
    END CASE;
END $$;
COMMENT ON FUNCTION exedra.has_expired(text, int) IS 'Whether there may be something for exedra.expire() to delete.';

CREATE OR REPLACE FUNCTION exedra.plan_retention(chats int, visitors int, usage int, events int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one bigint;
    n bigint := 0;
BEGIN
    FOR one IN SELECT t.id FROM exedra.tenant t WHERE t.suspended_at IS NULL LOOP
        PERFORM exedra.work_for(one, NULL, 30);
        IF exedra.has_expired('chats', chats) OR exedra.has_expired('visitors', visitors) OR exedra.has_expired('usage', usage)
           OR exedra.has_expired('events', events) THEN
            PERFORM exedra.enqueue_later('retain', ARRAY[0], 0, false);
            n := n + 1;
        END IF;
    END LOOP;
    RETURN n;
END $$;
COMMENT ON FUNCTION exedra.plan_retention(int, int, int, int) IS 'Have every tenant that has something too old looked through, with the days that the server keeps chats, embed chats, usage and events; how many that are.';

CREATE OR REPLACE FUNCTION exedra.expire_former(usage int, events int, most int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one bigint;
    gone bigint;
    total bigint := 0;
BEGIN
    PERFORM set_config('exedra.expiring', 'on', true);
    FOR one IN SELECT f.id FROM exedra.former_tenant f ORDER BY f.id LOOP
        PERFORM exedra.work_for(one, NULL, 30);
        IF usage > 0 THEN
            DELETE FROM exedra.usage u
             WHERE u.tenant_id = one AND u.id IN (SELECT o.id FROM exedra.usage o WHERE o.tenant_id = one AND o.at < now() - make_interval(days => usage)
                                                   ORDER BY o.at LIMIT most - total);
            GET DIAGNOSTICS gone = ROW_COUNT;
            total := total + gone;
        END IF;
        IF events > 0 THEN
            DELETE FROM exedra.event e
             WHERE e.tenant_id = one AND e.id IN (SELECT o.id FROM exedra.event o WHERE o.tenant_id = one AND o.at < now() - make_interval(days => events)
                                                   ORDER BY o.at LIMIT most - total);
            GET DIAGNOSTICS gone = ROW_COUNT;
            total := total + gone;
        END IF;
        EXIT WHEN total >= most;
        DELETE FROM exedra.former_tenant f
         WHERE f.id = one AND NOT EXISTS (SELECT FROM exedra.usage u WHERE u.tenant_id = one)
           AND NOT EXISTS (SELECT FROM exedra.event e WHERE e.tenant_id = one);
    END LOOP;
    PERFORM set_config('exedra.expiring', '', true);
    RETURN total;
END $$;
COMMENT ON FUNCTION exedra.expire_former(int, int, int) IS 'Delete at most so many rows of the ledger and events that tenants have left who are gone, by the server''s days; how many.';
