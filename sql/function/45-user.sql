-- People of a tenant, as its own administrators see and change them: in the tenant of the transaction, by id.  exedractl's functions
-- (40-admin.sql) say a tenant's name first and do the same.

SELECT exedra.define_type('user_json', '
    "id" bigint, "username" text, "pfpFilename" text, "role" text, "suspended" int, "seen_recovery_codes" boolean, "createdAt" text,
    "lastUpdatedAt" text, "dailyMessageLimit" int, "bio" text');
CREATE OR REPLACE FUNCTION exedra.json_user(a exedra.account) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(a.id, a.username, NULL, exedra.role_name(a.role), (a.suspended_at IS NOT NULL)::int, false,
        exedra.iso(a.created_at), exedra.iso(a.changed_at), a.daily_limit, a.bio)::exedra.user_json)
$$;
COMMENT ON FUNCTION exedra.json_user(exedra.account) IS 'An account as AnythingLLM''s API shows it.';

CREATE OR REPLACE FUNCTION exedra.other_admins(account bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM exedra.account a
                    WHERE a.tenant_id = exedra.tenant_id() AND a.id <> account AND a.role = 30 AND a.suspended_at IS NULL);
END $$;
COMMENT ON FUNCTION exedra.other_admins(bigint) IS 'Whether the tenant has an administrator besides this account.';

CREATE OR REPLACE FUNCTION exedra.new_account(username text, password text, role smallint, bio text, daily_limit int) RETURNS exedra.account
LANGUAGE plpgsql AS $$
DECLARE
    a exedra.account;
BEGIN
    INSERT INTO exedra.account AS o (tenant_id, username, password, role, bio, daily_limit)
    VALUES (exedra.tenant_id(), new_account.username, new_account.password, new_account.role, new_account.bio, new_account.daily_limit)
        ON CONFLICT ON CONSTRAINT account_tenant_id_username_key DO NOTHING
    RETURNING o.* INTO a;
    IF FOUND THEN
        PERFORM exedra.note_event('account.create', a.id, a.username, json_build_object('role', exedra.role_name(a.role)));
    END IF;
    RETURN a;
END $$;
COMMENT ON FUNCTION exedra.new_account(text, text, smallint, text, int) IS 'Make an account of the transaction''s tenant; all NULL when the name is taken.';

CREATE OR REPLACE FUNCTION exedra.alter_account(account bigint, changes jsonb, careful boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own constant bigint := exedra.tenant_id();
    before exedra.account;
    a exedra.account;
BEGIN
    SELECT * INTO before FROM exedra.account o WHERE o.tenant_id = own AND o.id = account FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'unknown';
    END IF;
    a := before;
    a.username := coalesce(changes ->> 'username', a.username);
    a.role := coalesce((changes ->> 'role')::smallint, a.role);
    a.bio := coalesce(changes ->> 'bio', a.bio);
    a.password := coalesce(changes ->> 'password', a.password);
    IF changes ? 'daily_limit' THEN
        a.daily_limit := (changes ->> 'daily_limit')::int;
    END IF;
    IF changes ? 'suspended' THEN
        a.suspended_at := CASE WHEN (changes ->> 'suspended')::boolean THEN coalesce(a.suspended_at, now()) END;
    END IF;
    IF a = before THEN
        -- What is so already is done; only the name that it has says nothing.
        RETURN CASE WHEN changes - 'username' = '{}' THEN 'nothing' ELSE 'done' END;
    ELSIF careful AND before.role = 30 AND before.suspended_at IS NULL AND (a.role < 30 OR a.suspended_at IS NOT NULL)
          AND NOT exedra.other_admins(account) THEN
        RETURN 'last_admin';
    END IF;
    UPDATE exedra.account o
       SET username = a.username, role = a.role, bio = a.bio, password = a.password, daily_limit = a.daily_limit,
           suspended_at = a.suspended_at, changed_at = now()
     WHERE o.tenant_id = own AND o.id = account;
    UPDATE exedra.credential c SET role = a.role, account_suspended_at = a.suspended_at WHERE c.tenant_id = own AND c.account_id = account;
    PERFORM exedra.note_event(
        CASE WHEN (a.suspended_at IS NULL) = (before.suspended_at IS NULL) THEN 'account.update'
             WHEN a.suspended_at IS NULL THEN 'account.resume' ELSE 'account.suspend' END, account, a.username, exedra.keys_of(changes));
    RETURN 'done';
EXCEPTION WHEN unique_violation THEN
    RETURN 'taken';
END $$;
COMMENT ON FUNCTION exedra.alter_account(bigint, jsonb, boolean) IS 'What change_user() does; unless `careful`, the last administrator may go too.';

CREATE OR REPLACE FUNCTION exedra.change_user(account bigint, changes jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    -- Of two administrators who put each other out, the second is to see what the first did.
    PERFORM FROM exedra.account x WHERE x.tenant_id = exedra.tenant_id() AND x.role = 30 ORDER BY x.id FOR NO KEY UPDATE;
    RETURN exedra.alter_account(account, changes, true);
END $$;
COMMENT ON FUNCTION exedra.change_user(bigint, jsonb) IS 'Change an account of the transaction''s tenant (username, role, bio, password, daily_limit, suspended): done, nothing, unknown, taken, last_admin.';

CREATE OR REPLACE FUNCTION exedra.drop_account(account bigint, careful boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    own constant bigint := exedra.tenant_id();
    gone exedra.account;
BEGIN
    SELECT a.* INTO gone FROM exedra.account a WHERE a.tenant_id = own AND a.id = account FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'unknown';
    ELSIF careful AND gone.role = 30 AND gone.suspended_at IS NULL AND NOT exedra.other_admins(account) THEN
        RETURN 'last_admin';
    END IF;
    -- Before: who deletes their own account has a name until then.
    PERFORM exedra.note_event('account.delete', account, gone.username);
    DELETE FROM exedra.account a WHERE a.tenant_id = own AND a.id = account;
    RETURN 'done';
END $$;
COMMENT ON FUNCTION exedra.drop_account(bigint, boolean) IS 'What delete_user() does; unless `careful`, the last administrator may go too.';

CREATE OR REPLACE FUNCTION exedra.delete_user(account bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    -- Of two administrators who put each other out, the second is to see what the first did.
    PERFORM FROM exedra.account x WHERE x.tenant_id = exedra.tenant_id() AND x.role = 30 ORDER BY x.id FOR NO KEY UPDATE;
    RETURN exedra.drop_account(account, true);
END $$;
COMMENT ON FUNCTION exedra.delete_user(bigint) IS 'Delete an account of the transaction''s tenant with its keys, threads and chats: done, unknown, last_admin.';

CREATE OR REPLACE FUNCTION exedra.json_members(workspace bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT exedra.json_array(string_agg('{"userId":' || a.id || ',"username":' || to_json(a.username::text) || ',"role":"'
               || exedra.role_name(a.role) || '","lastUpdatedAt":"' || exedra.iso(m.changed_at) || '"}', ',' ORDER BY a.id))
      FROM exedra.workspace_account m JOIN exedra.account a ON a.tenant_id = m.tenant_id AND a.id = m.account_id
     WHERE m.tenant_id = (SELECT exedra.tenant_id()) AND m.workspace_id = workspace
$$;
COMMENT ON FUNCTION exedra.json_members(bigint) IS 'The accounts that are let into a workspace, as AnythingLLM''s API shows them.';

CREATE OR REPLACE FUNCTION exedra.set_members(workspace bigint, accounts bigint[], replacing boolean) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    own constant bigint := exedra.tenant_id();
    n int;
    gone int := 0;
BEGIN
    IF replacing THEN
        -- Of two lists at once one is what stands, not both together.
        PERFORM FROM exedra.workspace w WHERE w.tenant_id = own AND w.id = workspace FOR NO KEY UPDATE;
        DELETE FROM exedra.workspace_account m WHERE m.tenant_id = own AND m.workspace_id = workspace AND m.account_id <> ALL (accounts);
        GET DIAGNOSTICS gone = ROW_COUNT;
    END IF;
    -- Held: else one that is deleted at the same moment would keep out all the others.
    INSERT INTO exedra.workspace_account (tenant_id, workspace_id, account_id)
    SELECT own, workspace, a.id FROM unnest(accounts) u (id) JOIN exedra.account a ON a.tenant_id = own AND a.id = u.id
       FOR KEY SHARE OF a
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n + gone > 0 THEN
        PERFORM exedra.note_event('workspace.members', workspace, (SELECT w.slug FROM exedra.workspace w WHERE w.tenant_id = own AND w.id = workspace),
            json_build_object('accounts', accounts[:100], 'let_in', n, 'taken_out', gone));
    END IF;
    RETURN n;
END $$;
COMMENT ON FUNCTION exedra.set_members(bigint, bigint[], boolean) IS 'Let accounts into a workspace, and if wanted nobody else; ids that are nobody''s are passed over.';
