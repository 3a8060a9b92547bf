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

CREATE OR REPLACE FUNCTION exedra.begin_sign_in(tenant text, username text, OUT tenant_id bigint, OUT account_id bigint, OUT password text,
                                                OUT role int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tried int;
BEGIN
    begin_sign_in.tenant_id := exedra.tenant_of_request(begin_sign_in.tenant);
    INSERT INTO exedra.sign_in AS s (subject) VALUES (sha256(convert_to(begin_sign_in.tenant_id || ' ' || begin_sign_in.username, 'UTF8')))
        ON CONFLICT (subject) DO UPDATE
       SET n = CASE WHEN s.began_at < now() - interval '3 minutes' THEN 1 ELSE s.n + 1 END,
           began_at = CASE WHEN s.began_at < now() - interval '3 minutes' THEN now() ELSE s.began_at END
    RETURNING s.n INTO tried;
    -- Fifteen in three minutes, as Open WebUI.  The attempt that is one too many is counted all the same: no exception here.
    IF tried > 15 THEN
        begin_sign_in.role := -1;
        RETURN;
    END IF;
    PERFORM set_config('exedra.tenant_id', begin_sign_in.tenant_id::text, true), set_config('exedra.role', '30', true);
    SELECT a.id, a.password, a.role INTO begin_sign_in.account_id, begin_sign_in.password, begin_sign_in.role
      FROM exedra.account a
     WHERE a.tenant_id = begin_sign_in.tenant_id AND a.username = begin_sign_in.username AND a.suspended_at IS NULL;
END $$;
COMMENT ON FUNCTION exedra.begin_sign_in(text, text) IS 'The stored password of an account, to be compared by the program; role -1 when it has been tried too often.';

CREATE OR REPLACE FUNCTION exedra.open_session(tenant bigint, account bigint, session bytea, lifetime_s int) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ends timestamptz := now() + make_interval(secs => lifetime_s);
BEGIN
    PERFORM set_config('exedra.tenant_id', tenant::text, true), set_config('exedra.role', '30', true);
    INSERT INTO exedra.credential (hash, tenant_id, account_id, role, kind, expires_at, account_suspended_at)
    SELECT session, a.tenant_id, a.id, a.role, 'session', ends, a.suspended_at
      FROM exedra.account a WHERE a.tenant_id = tenant AND a.id = account;
    DELETE FROM exedra.credential c WHERE c.tenant_id = tenant AND c.account_id = account AND c.kind = 'session' AND c.expires_at < now();
    DELETE FROM exedra.sign_in s
     WHERE s.subject = (SELECT sha256(convert_to(tenant || ' ' || a.username, 'UTF8')) FROM exedra.account a WHERE a.tenant_id = tenant AND a.id = account);
    RETURN ends;
END $$;
COMMENT ON FUNCTION exedra.open_session(bigint, bigint, bytea, int) IS 'A session of an account that has shown its password; returns when it ends.';

CREATE OR REPLACE FUNCTION exedra.close_session(session bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM exedra.credential c WHERE c.hash = $1 AND c.kind = 'session' AND c.tenant_id = exedra.tenant_id()
$$;
COMMENT ON FUNCTION exedra.close_session(bytea) IS 'Sign out; a key stays a key.';

CREATE OR REPLACE FUNCTION exedra.replace_key(key bytea, hint text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF exedra.account_id() IS NULL THEN
        RETURN false;
    END IF;
    DELETE FROM exedra.credential c
     WHERE c.tenant_id = exedra.tenant_id() AND c.account_id = exedra.account_id() AND c.kind = 'key' AND c.label = 'own';
    IF key IS NOT NULL THEN
        INSERT INTO exedra.credential (hash, tenant_id, account_id, role, label, hint)
        SELECT key, a.tenant_id, a.id, a.role, 'own', replace_key.hint
          FROM exedra.account a WHERE a.tenant_id = exedra.tenant_id() AND a.id = exedra.account_id();
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION exedra.replace_key(bytea, text) IS 'The one key that an account makes for itself: a new one in the place of the old, or with NULL none.';

CREATE OR REPLACE FUNCTION exedra.own_key() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.hint FROM exedra.credential c
     WHERE c.tenant_id = exedra.tenant_id() AND c.account_id = exedra.account_id() AND c.kind = 'key' AND c.label = 'own'
$$;
COMMENT ON FUNCTION exedra.own_key() IS 'The last characters of the key that an account has made for itself; NULL without one.';
