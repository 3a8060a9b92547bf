-- Signing in: what happens before there is a key.  Whether a name exists shows in nothing but the right password.

CREATE OR REPLACE FUNCTION exedra.tenant_of_request(tenant text) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[];
BEGIN
    IF tenant IS NULL THEN
        ids := ARRAY(SELECT t.id FROM exedra.tenant t WHERE t.suspended_at IS NULL ORDER BY t.id LIMIT 2);
    ELSE
        ids := ARRAY(SELECT t.id FROM exedra.tenant t WHERE t.name = tenant_of_request.tenant AND t.suspended_at IS NULL);
    END IF;
    IF cardinality(ids) = 1 THEN
        RETURN ids[1];
    END IF;
    RAISE EXCEPTION 'tenant_missing' USING ERRCODE = 'EX400';
END $$;
COMMENT ON FUNCTION exedra.tenant_of_request(text) IS 'The tenant that the web server names, else the only one; EX400 when that leaves none or several.';

CREATE OR REPLACE FUNCTION exedra.count_try(what text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    tried int;
BEGIN
    INSERT INTO exedra.sign_in AS s (subject) VALUES (sha256(convert_to(what, 'UTF8')))
        ON CONFLICT (subject) DO UPDATE
       SET n = CASE WHEN s.began_at < now() - interval '3 minutes' THEN 1 ELSE s.n + 1 END,
           began_at = CASE WHEN s.began_at < now() - interval '3 minutes' THEN now() ELSE s.began_at END
    RETURNING s.n INTO tried;
    RETURN tried;
END $$;
COMMENT ON FUNCTION exedra.count_try(text) IS 'How often this has been tried in three minutes, this time included.';

CREATE OR REPLACE FUNCTION exedra.note_sign_in(action text, account bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    -- A name can be tried fifteen times in three minutes, but there is no end of names: of a tenant's failed sign-ins so many in three
    -- minutes are written down, and counted like the attempts at a name, in one row.
    tried constant int := exedra.count_try('event ' || tenant);
BEGIN
    IF tried <= 100 THEN
        -- What is no account's name may be a password in the wrong field: it is not kept.
        PERFORM exedra.note_event(action, account, (SELECT a.username FROM exedra.account a WHERE a.tenant_id = tenant AND a.id = account),
            CASE WHEN tried = 100 THEN '{"more":"not written down"}' ELSE '{}' END::json);
    END IF;
END $$;
COMMENT ON FUNCTION exedra.note_sign_in(text, bigint) IS 'Write the event of a sign-in that failed; of a tenant at most a hundred in three minutes.';

CREATE OR REPLACE FUNCTION exedra.refuse_sign_in(tenant bigint, account bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM exedra.work_for(tenant, NULL, 30), exedra.note_sign_in('session.refuse', account);
END $$;
COMMENT ON FUNCTION exedra.refuse_sign_in(bigint, bigint) IS 'A password was wrong, or there is no account of the name (NULL).';

CREATE OR REPLACE FUNCTION exedra.begin_sign_in(tenant text, username text, OUT tenant_id bigint, OUT account_id bigint, OUT password text,
                                                OUT role int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tried int;
BEGIN
    begin_sign_in.tenant_id := exedra.tenant_of_request(begin_sign_in.tenant);
    tried := exedra.count_try(begin_sign_in.tenant_id || ' ' || begin_sign_in.username);
    PERFORM exedra.work_for(begin_sign_in.tenant_id, NULL, 30);
    -- Fifteen in three minutes, as Open WebUI.  The attempt that is one too many is counted all the same: no exception here.
    IF tried > 15 THEN
        begin_sign_in.role := -1;
        IF tried = 16 THEN
            PERFORM exedra.note_sign_in('session.throttle', (SELECT a.id FROM exedra.account a
                WHERE a.tenant_id = begin_sign_in.tenant_id AND a.username = begin_sign_in.username));
        END IF;
        RETURN;
    END IF;
    SELECT a.id, a.password, a.role INTO begin_sign_in.account_id, begin_sign_in.password, begin_sign_in.role
      FROM exedra.account a
     WHERE a.tenant_id = begin_sign_in.tenant_id AND a.username = begin_sign_in.username AND a.suspended_at IS NULL;
END $$;
COMMENT ON FUNCTION exedra.begin_sign_in(text, text) IS 'The stored password of an account, to be compared by the program; role -1 when it has been tried too often.';

CREATE OR REPLACE FUNCTION exedra.try_password() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a exedra.account;
    tried int;
BEGIN
    SELECT o.* INTO a FROM exedra.account o WHERE o.tenant_id = exedra.tenant_id() AND o.id = exedra.account_id();
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    tried := exedra.count_try(a.tenant_id || ' ' || a.username);
    IF tried = 16 THEN
        PERFORM exedra.note_sign_in('session.throttle', a.id);
    END IF;
    RETURN tried <= 15;
END $$;
COMMENT ON FUNCTION exedra.try_password() IS 'Whether the caller, who has a key of the account, may try its password once more: tries count with those to sign in.';

CREATE OR REPLACE FUNCTION exedra.expire_tries(most int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM exedra.sign_in s
     WHERE s.subject IN (SELECT o.subject FROM exedra.sign_in o WHERE o.began_at < now() - interval '3 minutes'
                          ORDER BY o.began_at LIMIT most FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
COMMENT ON FUNCTION exedra.expire_tries(int) IS 'Forget at most so many tries that count no more: anybody may try any name, and each has a row; how many.';

CREATE OR REPLACE FUNCTION exedra.open_session(tenant bigint, account bigint, password text, session bytea, lifetime_s int) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ends timestamptz := now() + make_interval(secs => lifetime_s);
BEGIN
    PERFORM exedra.work_for(tenant, account, 30);
    -- Held: else the session of an account that is just being shut, or given another role, would not be told.
    PERFORM FROM exedra.account a
      WHERE a.tenant_id = tenant AND a.id = account AND (open_session.password IS NULL OR a.password = open_session.password)
        FOR SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO exedra.credential (hash, tenant_id, account_id, role, kind, expires_at, account_suspended_at)
    SELECT session, a.tenant_id, a.id, a.role, 'session', ends, a.suspended_at
      FROM exedra.account a WHERE a.tenant_id = tenant AND a.id = account;
    DELETE FROM exedra.credential c WHERE c.tenant_id = tenant AND c.account_id = account AND c.kind = 'session' AND c.expires_at < now();
    DELETE FROM exedra.sign_in s
     WHERE s.subject = (SELECT sha256(convert_to(tenant || ' ' || a.username, 'UTF8')) FROM exedra.account a WHERE a.tenant_id = tenant AND a.id = account);
    PERFORM set_config('exedra.key', c.id::text, true) FROM exedra.credential c WHERE c.hash = session;
    PERFORM exedra.note_event('session.open', a.id, a.username) FROM exedra.account a WHERE a.tenant_id = tenant AND a.id = account;
    RETURN ends;
END $$;
COMMENT ON FUNCTION exedra.open_session(bigint, bigint, text, bytea, int) IS 'A session of an account that has shown its password, which is this as stored (NULL = none was wanted); when it ends, or NULL where that is not so any more.';

CREATE OR REPLACE FUNCTION exedra.close_session(session bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM exedra.credential c WHERE c.hash = session AND c.kind = 'session' AND c.tenant_id = exedra.tenant_id();
    IF FOUND THEN
        PERFORM exedra.note_event('session.close', a.id, a.username)
           FROM exedra.account a WHERE a.tenant_id = exedra.tenant_id() AND a.id = exedra.account_id();
    END IF;
END $$;
COMMENT ON FUNCTION exedra.close_session(bytea) IS 'Sign out; a key stays a key.';

CREATE OR REPLACE FUNCTION exedra.end_sessions(tenant text, username text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    who exedra.account := exedra.find_account(tenant, username);
    n int;
BEGIN
    DELETE FROM exedra.credential c WHERE c.tenant_id = who.tenant_id AND c.account_id = who.id AND c.kind = 'session';
    GET DIAGNOSTICS n = ROW_COUNT;
    DELETE FROM exedra.sign_in_token t WHERE t.tenant_id = who.tenant_id AND t.account_id = who.id;
    PERFORM exedra.note_event('session.revoke', who.id, who.username, json_build_object('n', n));
    RETURN n;
END $$;
COMMENT ON FUNCTION exedra.end_sessions(text, text) IS 'Sign an account out everywhere; its keys stay.  How many sessions there were.';

CREATE OR REPLACE FUNCTION exedra.list_sessions(tenant text)
RETURNS TABLE (id bigint, account text, role text, created_at timestamptz, expires_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    RETURN QUERY
        SELECT c.id, a.username::text, exedra.role_name(c.role), c.created_at, c.expires_at
          FROM exedra.credential c JOIN exedra.account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id
         WHERE c.tenant_id = exedra.tenant_id() AND c.kind = 'session' AND c.expires_at > now() ORDER BY c.id;
END $$;
COMMENT ON FUNCTION exedra.list_sessions(text) IS 'Who of a tenant has signed in.';

CREATE OR REPLACE FUNCTION exedra.replace_key(key bytea, hint text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old record;
    made bigint;
    caller exedra.credential;
BEGIN
    IF exedra.account_id() IS NULL THEN
        RETURN false;
    END IF;
    SELECT c.* INTO caller FROM exedra.credential c WHERE c.tenant_id = exedra.tenant_id() AND c.id = exedra.key_id() AND c.kind = 'key';
    -- Two at the same moment would each leave a key that the other does not see.
    PERFORM FROM exedra.account a WHERE a.tenant_id = exedra.tenant_id() AND a.id = exedra.account_id() FOR NO KEY UPDATE;
    DELETE FROM exedra.credential c
     WHERE c.tenant_id = exedra.tenant_id() AND c.account_id = exedra.account_id() AND c.kind = 'key' AND c.label = 'own'
    RETURNING c.id, c.hint INTO old;
    IF key IS NULL AND old.id IS NOT NULL THEN
        PERFORM exedra.note_event('key.delete', old.id, 'own ...' || old.hint);
    END IF;
    IF key IS NOT NULL THEN
        -- A key that a key makes may do no more than that one.
        INSERT INTO exedra.credential (hash, tenant_id, account_id, role, label, hint, expires_at, account_suspended_at, read_only, groups, workspace_ids,
                                       addresses)
        SELECT key, a.tenant_id, a.id, a.role, 'own', replace_key.hint, caller.expires_at, a.suspended_at, coalesce(caller.read_only, false), caller.groups,
               caller.workspace_ids, caller.addresses
          FROM exedra.account a WHERE a.tenant_id = exedra.tenant_id() AND a.id = exedra.account_id()
        RETURNING id INTO made;
        PERFORM exedra.note_event('key.create', made, 'own ...' || replace_key.hint, json_strip_nulls(json_build_object('replaces', old.id)));
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION exedra.replace_key(bytea, text) IS 'The one key that an account makes for itself: a new one in the place of the old, or with NULL none.';

CREATE OR REPLACE FUNCTION exedra.own_key() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.hint FROM exedra.credential c
     WHERE c.tenant_id = exedra.tenant_id() AND c.account_id = exedra.account_id() AND c.kind = 'key' AND c.label = 'own'
$$;
COMMENT ON FUNCTION exedra.own_key() IS 'The last characters of the key that an account has made for itself; NULL without one.';

CREATE OR REPLACE FUNCTION exedra.key_ends(key bytea) RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.expires_at FROM exedra.credential c WHERE c.hash = $1 AND c.tenant_id = exedra.tenant_id()
$$;
COMMENT ON FUNCTION exedra.key_ends(bytea) IS 'When a key or session of the tenant ends by itself; NULL when it does not.';

CREATE OR REPLACE FUNCTION exedra.password_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM exedra.credential c WHERE c.tenant_id = NEW.tenant_id AND c.account_id = NEW.id AND c.kind = 'session';
    DELETE FROM exedra.sign_in_token t WHERE t.tenant_id = NEW.tenant_id AND t.account_id = NEW.id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION exedra.password_changed() IS 'Whoever signed in by the old password, or has a token to, signs in anew, however it was changed; keys stay.';
SELECT exedra.define_trigger('account', 'password_changed', 'AFTER UPDATE OF password ON %s FOR EACH ROW
    WHEN (OLD.password IS DISTINCT FROM NEW.password) EXECUTE FUNCTION exedra.password_changed()');
