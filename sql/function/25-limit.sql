-- Limits: how much a tenant, an account or a key may ask of models.  Every request that asks one has a hold while it is under
-- way: exedra.hold_limits() takes it before, exedra.settle_limits() makes it exact or gives it back after; who opens a chat without
-- one is sent to take it first.  A hold is taken in a transaction of its own whose commit nobody waits for: the rows that
-- requests of one key share are locked for some 0.1 ms.  Where a tenant has no limits, nothing of this happens.

CREATE OR REPLACE FUNCTION exedra.limits_of(account bigint, key bigint)
RETURNS TABLE (subject text, subject_id bigint, span text, most_requests bigint, most_tokens bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
BEGIN
    RETURN QUERY
        SELECT l.subject, l.subject_id, substring(l.kind FROM '[a-z]+$'),
               min(l.most) FILTER (WHERE NOT starts_with(l.kind, 'tokens')), min(l.most) FILTER (WHERE starts_with(l.kind, 'tokens'))
          FROM (SELECT q.subject::text, q.subject_id, q.kind::text, q.most FROM exedra.quota q
                 WHERE q.tenant_id = tenant AND q.subject = 'tenant' AND q.subject_id = 0
                UNION ALL
                SELECT q.subject::text, q.subject_id, q.kind::text, q.most FROM exedra.quota q
                 WHERE q.tenant_id = tenant AND q.subject = 'account' AND q.subject_id = account
                UNION ALL
                SELECT q.subject::text, q.subject_id, q.kind::text, q.most FROM exedra.quota q
                 WHERE q.tenant_id = tenant AND q.subject = 'key' AND q.subject_id = key
                UNION ALL
                SELECT 'account', a.id, 'chats_day', a.daily_limit FROM exedra.account a
                 WHERE a.tenant_id = tenant AND a.id = account AND a.daily_limit IS NOT NULL) l
         GROUP BY l.subject, l.subject_id, substring(l.kind FROM '[a-z]+$');
END $$;
COMMENT ON FUNCTION exedra.limits_of(bigint, bigint) IS 'The limits that hold for a request of this account by this key, a row a span: minute, day or month.';

CREATE OR REPLACE FUNCTION exedra.take_limit(subject text, subject_id bigint, span text, most_requests bigint, most_tokens bigint, hold bigint)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    begins constant timestamptz := date_trunc(span, now(), 'UTC');
    -- A transaction that is late finds the next span begun already; one further ahead is of a clock that was wrong.
    latest constant timestamptz := (begins AT TIME ZONE 'UTC' + ('1 ' || span)::interval) AT TIME ZONE 'UTC';
    so_far bigint;
BEGIN
    IF most_requests = 0 OR most_tokens = 0 THEN
        RETURN CASE WHEN most_requests = 0 THEN 'requests' ELSE 'tokens' END;
    END IF;
    INSERT INTO exedra.quota_used AS u (tenant_id, subject, subject_id, span, since, n, tokens, held)
    VALUES (tenant, take_limit.subject, take_limit.subject_id, take_limit.span, begins, 1, 0, hold)
        ON CONFLICT ON CONSTRAINT quota_used_pkey DO UPDATE
       SET n = CASE WHEN u.since BETWEEN begins AND latest THEN u.n + 1 ELSE 1 END,
           tokens = CASE WHEN u.since BETWEEN begins AND latest THEN u.tokens ELSE 0 END,
           held = CASE WHEN u.since BETWEEN begins AND latest THEN u.held ELSE 0 END + hold,
           since = CASE WHEN u.since BETWEEN begins AND latest THEN u.since ELSE begins END
     WHERE u.since NOT BETWEEN begins AND latest
        OR coalesce(u.n < most_requests, true) AND coalesce(u.tokens + u.held < most_tokens, true);
    IF FOUND THEN
        RETURN NULL;
    END IF;
    SELECT x.n INTO so_far FROM exedra.quota_used x
     WHERE x.tenant_id = tenant AND x.subject = take_limit.subject AND x.subject_id = take_limit.subject_id AND x.span = take_limit.span;
    RETURN CASE WHEN so_far >= most_requests THEN 'requests' ELSE 'tokens' END;
END $$;
COMMENT ON FUNCTION exedra.take_limit(text, bigint, text, bigint, bigint, bigint) IS 'Count one more request, and hold these tokens for it: NULL, or what there is no room for.';

CREATE OR REPLACE FUNCTION exedra.hold_limits(ticket uuid, tokens bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    account constant bigint := exedra.account_id();
    key constant bigint := exedra.key_id();
    one record;
    missing text;
BEGIN
    IF exedra.is_limited() IS NOT TRUE THEN
        RETURN false;
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);
    -- All take their rows in the same order, here and in settle_limits().
    FOR one IN SELECT l.* FROM exedra.limits_of(account, key) l ORDER BY l.subject COLLATE "C", l.span COLLATE "C" LOOP
        missing := exedra.take_limit(one.subject, one.subject_id, one.span, one.most_requests, one.most_tokens, tokens);
        IF missing IS NOT NULL AND exedra.free_limits() > 0 THEN
            missing := exedra.take_limit(one.subject, one.subject_id, one.span, one.most_requests, one.most_tokens, tokens);
        END IF;
        IF missing IS NOT NULL THEN
            -- The detail: seconds until there is room again, whose limit it is and how much.
            RAISE EXCEPTION '%', CASE WHEN missing = 'tokens' THEN 'limit_tokens_' || one.span
                                      WHEN one.span = 'minute' THEN 'limit_requests_minute' ELSE 'limit_chats_day' END
                USING ERRCODE = 'EX429',
                      DETAIL = format('%s %s %s', greatest(1, ceil(extract(epoch FROM
                                          date_trunc(one.span, now(), 'UTC') + ('1 ' || one.span)::interval - now())))::int, one.subject,
                                      CASE WHEN missing = 'tokens' THEN one.most_tokens ELSE one.most_requests END);
        END IF;
    END LOOP;
    INSERT INTO exedra.quota_hold (tenant_id, ticket, account_id, key_id, tokens) VALUES (tenant, hold_limits.ticket, account, key, hold_limits.tokens);
    RETURN true;
END $$;
COMMENT ON FUNCTION exedra.hold_limits(uuid, bigint) IS 'Let a request that asks a model in under all limits that hold for it, and set tokens aside for its answer; EX429 names the limit that leaves no room.  false: there are none.';

CREATE OR REPLACE FUNCTION exedra.must_hold(ticket uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF exedra.is_limited() THEN
        RETURN NOT EXISTS (SELECT FROM exedra.quota_hold h WHERE h.tenant_id = (SELECT exedra.tenant_id()) AND h.ticket = must_hold.ticket);
    END IF;
    RETURN false;
END $$;
COMMENT ON FUNCTION exedra.must_hold(uuid) IS 'Whether a request has to go through hold_limits() before it asks a model, and has not.';

CREATE OR REPLACE FUNCTION exedra.settle_limits(tenant bigint, ticket uuid, tokens bigint, counts boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    h exedra.quota_hold;
BEGIN
    PERFORM set_config('exedra.tenant_id', tenant::text, true), set_config('exedra.role', '30', true),
            set_config('synchronous_commit', 'off', true);
    DELETE FROM exedra.quota_hold x WHERE x.tenant_id = tenant AND x.ticket = settle_limits.ticket RETURNING x.* INTO h;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM FROM exedra.quota_used u
      WHERE u.tenant_id = tenant AND (u.subject, u.subject_id) IN (('account', h.account_id), ('key', h.key_id), ('tenant', 0))
      ORDER BY u.subject, u.span FOR NO KEY UPDATE;
    UPDATE exedra.quota_used u
       SET n = greatest(u.n - CASE WHEN counts THEN 0 ELSE 1 END, 0), tokens = u.tokens + settle_limits.tokens,
           held = greatest(u.held - h.tokens, 0)
     WHERE u.tenant_id = tenant AND (u.subject, u.subject_id) IN (('account', h.account_id), ('key', h.key_id), ('tenant', 0))
       AND u.since = date_trunc(u.span, h.at, 'UTC');
END $$;
COMMENT ON FUNCTION exedra.settle_limits(bigint, uuid, bigint, boolean) IS 'A request that held a place has ended: what it used takes the place of what it held, and if it asked no model after all it does not count.';

CREATE OR REPLACE FUNCTION exedra.free_limits() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    one uuid;
    total bigint := 0;
BEGIN
    FOR one IN SELECT h.ticket FROM exedra.quota_hold h
                WHERE h.tenant_id = tenant AND h.at < now() - interval '1 hour'
                  AND NOT EXISTS (SELECT FROM exedra.open_chat o WHERE o.tenant_id = tenant AND o.ticket = h.ticket)
                  FOR UPDATE SKIP LOCKED LOOP
        PERFORM exedra.settle_limits(tenant, one, 0, false);
        total := total + 1;
    END LOOP;
    RETURN total;
END $$;
COMMENT ON FUNCTION exedra.free_limits() IS 'Give back what requests hold whose process died before it could say how they ended.';

-- An account's daily limit, which AnythingLLM's API sets, is one of these limits.
CREATE OR REPLACE FUNCTION exedra.account_limited() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Somebody may just be taking back what was the only limit: it is waited for, then looked.
    PERFORM FROM exedra.tenant t WHERE t.id = NEW.tenant_id FOR NO KEY UPDATE;
    UPDATE exedra.tenant t SET limited = true WHERE t.id = NEW.tenant_id AND NOT t.limited;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION exedra.account_limited() IS 'Trigger: a tenant one of whose accounts has a limit has limits.';
SELECT exedra.define_trigger('account', 'account_limited',
    'AFTER INSERT OR UPDATE OF daily_limit ON %s FOR EACH ROW WHEN (NEW.daily_limit IS NOT NULL) EXECUTE FUNCTION exedra.account_limited()');

CREATE OR REPLACE FUNCTION exedra.look_for_limits(tenant bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM exedra.tenant t WHERE t.id = tenant FOR NO KEY UPDATE;
    UPDATE exedra.tenant t
       SET limited = EXISTS (SELECT FROM exedra.quota q WHERE q.tenant_id = t.id)
                  OR EXISTS (SELECT FROM exedra.account a WHERE a.tenant_id = t.id AND a.daily_limit IS NOT NULL)
     WHERE t.id = tenant;
END $$;
COMMENT ON FUNCTION exedra.look_for_limits(bigint) IS 'Let tenant.limited say what is so, one change after the other.';

CREATE OR REPLACE FUNCTION exedra.limits_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    whose constant text := CASE TG_TABLE_NAME WHEN 'account' THEN 'account' ELSE 'key' END;
BEGIN
    DELETE FROM exedra.quota_used u WHERE u.tenant_id = OLD.tenant_id AND u.subject = whose AND u.subject_id = OLD.id;
    DELETE FROM exedra.quota q WHERE q.tenant_id = OLD.tenant_id AND q.subject = whose AND q.subject_id = OLD.id;
    IF FOUND THEN
        PERFORM exedra.look_for_limits(OLD.tenant_id);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION exedra.limits_gone() IS 'Trigger: with an account or key go its limits, which nobody could take back any more.';
SELECT exedra.define_trigger(t, 'limits_gone', 'AFTER DELETE ON %s FOR EACH ROW EXECUTE FUNCTION exedra.limits_gone()')
  FROM unnest(ARRAY['account', 'credential']) t;

-- ---- what administrators do

CREATE OR REPLACE FUNCTION exedra.limit_subject(tenant text, username text, key bigint, OUT owner_id bigint, OUT subject text, OUT subject_id bigint)
LANGUAGE plpgsql AS $$
BEGIN
    owner_id := exedra.find_tenant(tenant);
    subject := 'tenant';
    subject_id := 0;
    PERFORM exedra.work_for(owner_id, NULL, 30);
    IF username IS NOT NULL AND key IS NOT NULL THEN
        RAISE EXCEPTION 'A limit is an account''s or a key''s, not both.' USING ERRCODE = 'EX422';
    ELSIF username IS NOT NULL THEN
        subject := 'account';
        subject_id := (exedra.find_account(tenant, username)).id;
    ELSIF key IS NOT NULL THEN
        subject := 'key';
        SELECT c.id INTO subject_id FROM exedra.credential c WHERE c.tenant_id = owner_id AND c.id = key;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'Tenant "%" has no key %.', tenant, key USING ERRCODE = 'EX404';
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION exedra.limit_subject(text, text, bigint) IS 'Whose limit is meant: an account''s, a key''s, or with neither the tenant''s own; raises EX404, EX422.';

CREATE OR REPLACE FUNCTION exedra.set_limit(tenant text, kind text, most bigint, username text DEFAULT NULL, key bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    whose record := exedra.limit_subject(tenant, username, key);
BEGIN
    IF set_limit.kind IS NULL OR set_limit.kind NOT IN ('requests_minute', 'chats_day', 'tokens_day', 'tokens_month') THEN
        RAISE check_violation;
    END IF;
    IF most IS NULL THEN
        DELETE FROM exedra.quota q
         WHERE q.tenant_id = whose.owner_id AND q.subject = whose.subject AND q.subject_id = whose.subject_id AND q.kind = set_limit.kind;
    ELSE
        INSERT INTO exedra.quota AS q (tenant_id, subject, subject_id, kind, most)
        VALUES (whose.owner_id, whose.subject, whose.subject_id, set_limit.kind, set_limit.most)
            ON CONFLICT ON CONSTRAINT quota_pkey DO UPDATE SET most = excluded.most;
    END IF;
    PERFORM exedra.look_for_limits(whose.owner_id), exedra.note_event('limit.set', nullif(whose.subject_id, 0), whose.subject, json_build_object('limit', kind, 'most', most));
EXCEPTION WHEN check_violation THEN
    RAISE EXCEPTION 'A limit is requests_minute, chats_day, tokens_day or tokens_month, and a number from 0 on.' USING ERRCODE = 'EX422';
END $$;
COMMENT ON FUNCTION exedra.set_limit(text, text, bigint, text, bigint) IS 'Limit a tenant, or one of its accounts or keys: requests_minute, chats_day (requests that ask a model), tokens_day, tokens_month; NULL takes a limit back.  Holds from the next request on, which is the first that is counted.';

CREATE OR REPLACE FUNCTION exedra.list_limits(tenant text)
RETURNS TABLE (account text, key bigint, kind text, most bigint, used bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    RETURN QUERY
        SELECT a.username::text, CASE WHEN q.subject = 'key' THEN q.subject_id END, q.kind::text, q.most,
               coalesce(CASE WHEN starts_with(q.kind, 'tokens') THEN u.tokens + u.held ELSE u.n END, 0)
          FROM (SELECT q.subject, q.subject_id, q.kind, q.most FROM exedra.quota q WHERE q.tenant_id = exedra.tenant_id()
                UNION ALL
                SELECT 'account', d.id, 'chats_day', d.daily_limit FROM exedra.account d
                 WHERE d.tenant_id = exedra.tenant_id() AND d.daily_limit IS NOT NULL) q
          LEFT JOIN exedra.account a ON q.subject = 'account' AND a.tenant_id = exedra.tenant_id() AND a.id = q.subject_id
          LEFT JOIN exedra.quota_used u ON u.tenant_id = exedra.tenant_id() AND u.subject = q.subject AND u.subject_id = q.subject_id
               AND u.span = substring(q.kind FROM '[a-z]+$') AND u.since = date_trunc(u.span, now(), 'UTC')
         ORDER BY q.subject DESC, q.subject_id, q.kind;
END $$;
COMMENT ON FUNCTION exedra.list_limits(text) IS 'The limits of a tenant, its accounts and keys, with what has been used of each in this minute, day or month.';
