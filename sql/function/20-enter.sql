-- How a transaction begins: by key (enter) or by the ticket of an open chat (resume).  Each is the first
-- statement of its transaction and raises when the work may not go on; the statements behind it then never run.
-- SQLSTATE class EX carries an HTTP status: EX401, EX403, EX503 ...; the message is the stable error code.

-- Every request asks which programs are served.  A constant function is part of the plan that calls it; a look into the table takes a
-- sixth of exedra.enter().
CREATE OR REPLACE FUNCTION exedra.define_serves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION exedra.serves(program int) RETURNS boolean LANGUAGE sql IMMUTABLE AS '
                   '''SELECT program BETWEEN %s AND %s''', NEW.oldest_program, NEW.version);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION exedra.define_serves() IS 'Trigger: exedra.serves() says what exedra.schema_version holds.';
SELECT exedra.define_trigger('schema_version', 'define_serves',
    'AFTER INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION exedra.define_serves()');
UPDATE exedra.schema_version SET version = version WHERE to_regprocedure('exedra.serves(int)') IS NULL;
COMMENT ON FUNCTION exedra.serves(int) IS 'Whether a program built for this schema version may run on the database.';

CREATE OR REPLACE FUNCTION exedra.check_version(program int) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT exedra.serves(program) THEN
        RAISE EXCEPTION 'schema_version' USING ERRCODE = 'EX503',
            DETAIL = (SELECT format('The database has schema version %s and serves programs from %s on; this program needs %s.',
                                    v.version, v.oldest_program, program) FROM exedra.schema_version v);
    END IF;
END $$;
COMMENT ON FUNCTION exedra.check_version(int) IS 'Raise EX503 unless a program built for this schema version may run on the database.';

CREATE OR REPLACE FUNCTION exedra.lies_in(address text, networks cidr[]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    -- A listening socket for both kinds of address shows IPv4 as ::ffff:192.0.2.1.
    RETURN coalesce(regexp_replace(address, '^::ffff:(?=[0-9.]+$)', '', 'i')::inet <<= ANY (networks), false);
EXCEPTION WHEN invalid_text_representation THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION exedra.lies_in(text, cidr[]) IS 'Whether a client''s address lies in one of these networks; what is no address lies in none.';

SELECT exedra.define_type('entered', 'tenant_id bigint, account_id bigint, role int, limited boolean');

CREATE OR REPLACE FUNCTION exedra.enter(key_hash bytea, least_role int, read_only boolean, program int, tenant text,
                                        route_group text DEFAULT 'open', address text DEFAULT NULL)
RETURNS exedra.entered LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    e exedra.entered;
    id bigint;
    reads_only boolean;
    groups text[];
    rooms bigint[];
    ends timestamptz;
    networks cidr[];
    holder text;
    done text;
BEGIN
    -- The statement only reads, what can be an expression is one: that costs a third of the same in a statement, which is begun anew
    -- for every request.
    SELECT k.tenant_id, k.account_id, k.role, k.id, k.read_only, k.groups, k.workspace_ids, k.expires_at, k.addresses, t.limited, t.name
      INTO e.tenant_id, e.account_id, e.role, id, reads_only, groups, rooms, ends, networks,
           e.limited, holder
      FROM exedra.credential k
      JOIN exedra.tenant t ON t.id = k.tenant_id
     WHERE k.hash = key_hash AND k.suspended_at IS NULL AND k.account_suspended_at IS NULL AND t.suspended_at IS NULL;
    IF NOT FOUND OR holder <> tenant OR ends <= now()
       OR networks IS NOT NULL AND NOT exedra.lies_in(address, networks) THEN
        PERFORM exedra.check_version(program);
        RAISE EXCEPTION 'key_unknown' USING ERRCODE = 'EX401';
    END IF;
    IF NOT exedra.serves(program) THEN
        PERFORM exedra.check_version(program);
    END IF;
    IF e.role < least_role THEN
        RAISE EXCEPTION 'role_too_low' USING ERRCODE = 'EX403';
    ELSIF groups IS NOT NULL AND route_group <> ALL (groups) THEN
        RAISE EXCEPTION 'key_group' USING ERRCODE = 'EX403';
    ELSIF reads_only AND NOT enter.read_only THEN
        RAISE EXCEPTION 'key_read_only' USING ERRCODE = 'EX403';
    END IF;
    -- All of them, always: others may have entered this transaction before.  15: manages, but only the rooms of the list.  Looking is
    -- cheaper than setting.
    done := set_config('exedra.tenant_id', e.tenant_id::text, true);
    done := set_config('exedra.role', CASE WHEN rooms IS NULL OR e.role < 15 THEN e.role ELSE 15 END::text, true);
    done := set_config('exedra.key', CASE WHEN e.limited THEN -id ELSE id END::text, true);
    IF e.account_id IS NOT NULL OR current_setting('exedra.account_id', true) <> '' THEN
        done := set_config('exedra.account_id', coalesce(e.account_id::text, ''), true);
    END IF;
    IF rooms IS NOT NULL OR current_setting('exedra.workspaces', true) <> '' THEN
        done := set_config('exedra.workspaces', coalesce(rooms::text, ''), true);
    END IF;
    IF enter.read_only THEN
        done := set_config('transaction_read_only', 'on', true);
    END IF;
    RETURN e;
END $$;
ALTER FUNCTION exedra.enter(bytea, int, boolean, int, text, text, text) SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION exedra.enter(bytea, int, boolean, int, text, text, text) IS 'Begin a transaction for the holder of a key, who comes from this address to a route of this group: tenant, account and role, and whether there are limits; or EX401, EX403, EX503.';

CREATE OR REPLACE FUNCTION exedra.note_uses(hashes bytea[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE exedra.credential c SET used_at = now()
     WHERE c.hash IN (SELECT k.hash FROM exedra.credential k
                       WHERE k.hash = ANY (hashes) AND (k.used_at IS NULL OR k.used_at < now() - interval '50 seconds')
                       ORDER BY k.hash FOR NO KEY UPDATE)
$$;
COMMENT ON FUNCTION exedra.note_uses(bytea[]) IS 'Keys that have been used in the last minute; what another process has noted meanwhile is not written again.';

CREATE OR REPLACE FUNCTION exedra.resume(tenant_id bigint, chat_id bigint, ticket uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('exedra.tenant_id', resume.tenant_id::text, true),
            set_config('exedra.account_id', '', true),
            set_config('exedra.role', '30', true);
    PERFORM FROM exedra.open_chat o
      WHERE o.tenant_id = resume.tenant_id AND o.chat_id = resume.chat_id AND o.ticket = resume.ticket;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'chat_gone' USING ERRCODE = 'EX410';
    END IF;
END $$;
COMMENT ON FUNCTION exedra.resume(bigint, bigint, uuid) IS 'Begin a transaction for the worker that opened a chat: its ticket is the proof, for the key may be gone by now.';

CREATE OR REPLACE FUNCTION exedra.stopped_chats(tenants bigint[], chats bigint[], hashes text[]) RETURNS TABLE (place int, gone boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one bigint;
BEGIN
    RETURN QUERY
        SELECT u.place::int, false
          FROM unnest(hashes) WITH ORDINALITY u (hash, place)
          LEFT JOIN exedra.credential c ON c.hash = decode(u.hash, 'hex')
          LEFT JOIN exedra.tenant t ON t.id = c.tenant_id
         WHERE u.hash <> '' AND (c.hash IS NULL OR c.suspended_at IS NOT NULL OR c.account_suspended_at IS NOT NULL OR t.suspended_at IS NOT NULL
            OR c.expires_at <= now());
    -- A visitor of an embed has no key: tenant and embed tell.
    IF '' = ANY (hashes) THEN
        RETURN QUERY
            SELECT u.place::int, false FROM unnest(tenants, hashes) WITH ORDINALITY u (tenant_id, hash, place)
              LEFT JOIN exedra.tenant t ON t.id = u.tenant_id
             WHERE u.hash = '' AND (t.id IS NULL OR t.suspended_at IS NOT NULL);
    END IF;
    FOR one IN SELECT DISTINCT u FROM unnest(tenants) u LOOP
        PERFORM exedra.work_for(one, NULL, 30);
        RETURN QUERY
            SELECT u.place::int, true FROM unnest(tenants, chats) WITH ORDINALITY u (tenant_id, chat_id, place)
             WHERE u.tenant_id = one
               AND NOT EXISTS (SELECT FROM exedra.open_chat o WHERE o.tenant_id = one AND o.chat_id = u.chat_id);
        IF '' = ANY (hashes) THEN
            RETURN QUERY
                SELECT u.place::int, false FROM unnest(tenants, chats, hashes) WITH ORDINALITY u (tenant_id, chat_id, hash, place)
                  JOIN exedra.chat c ON c.tenant_id = one AND c.id = u.chat_id
                  JOIN exedra.embed e ON e.tenant_id = one AND e.id = c.embed_id
                 WHERE u.tenant_id = one AND u.hash = '' AND NOT e.enabled;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION exedra.stopped_chats(bigint[], bigint[], text[]) IS 'Which of some open chats are to end, because their key, account, tenant or row is gone or shut; asked once a second by processes with open streams.';

CREATE OR REPLACE FUNCTION exedra.fail_chats(worker text, node text, pool text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t exedra.tenant;
    gone record;
    total bigint := 0;
BEGIN
    FOR t IN SELECT * FROM exedra.tenant LOOP
        PERFORM exedra.work_for(t.id, NULL, 30);
        FOR gone IN
            DELETE FROM exedra.open_chat o
             WHERE o.tenant_id = t.id
               AND (o.worker = fail_chats.worker OR o.ticket::text = fail_chats.worker
                    OR (starts_with(o.worker, node || '/') AND NOT starts_with(o.worker, pool || '/')))
            RETURNING o.chat_id, o.ticket
        LOOP
            UPDATE exedra.chat c
               SET state = CASE WHEN c.answer IS NULL THEN 'failed' ELSE 'stopped' END::exedra.chat_state, reason = 'worker_died', changed_at = now()
             WHERE c.tenant_id = t.id AND c.id = gone.chat_id;
            total := total + FOUND::int;
            IF t.limited THEN
                PERFORM exedra.settle_limits(t.id, gone.ticket, 0, false);
            END IF;
        END LOOP;
    END LOOP;
    UPDATE exedra.job j SET state = 'waiting', worker = NULL, ticket = NULL, changed_at = now()
     WHERE j.state = 'running'
       AND (j.worker = fail_chats.worker OR (starts_with(j.worker, node || '/') AND NOT starts_with(j.worker, pool || '/')));
    RETURN total;
END $$;
COMMENT ON FUNCTION exedra.fail_chats(text, text, text) IS 'End the open chats of a dead worker, or of all pools of a node but one: with what had come as stopped, else as failed.';

CREATE OR REPLACE FUNCTION exedra.sweep_chats(older_s int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one text;
    total bigint := 0;
    t bigint;
BEGIN
    FOR t IN SELECT id FROM exedra.tenant LOOP
        PERFORM exedra.work_for(t, NULL, 30);
        FOR one IN SELECT o.ticket::text FROM exedra.open_chat o
                    WHERE o.tenant_id = t AND starts_with(o.worker, 'cgi/') AND o.opened_at < now() - make_interval(secs => older_s) LOOP
            total := total + exedra.fail_chats(one, NULL, NULL);
        END LOOP;
    END LOOP;
    UPDATE exedra.job j SET state = 'waiting', worker = NULL, ticket = NULL, changed_at = now()
     WHERE j.state = 'running' AND starts_with(j.worker, 'cgi/') AND j.changed_at < now() - make_interval(secs => older_s);
    RETURN total;
END $$;
COMMENT ON FUNCTION exedra.sweep_chats(int) IS 'End what CGI processes began so many seconds ago and cannot be at work on any more: nobody sees them die.';
