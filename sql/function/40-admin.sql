-- What an administrator does, from psql as from exedractl: the same functions; names are what people type.  They run as the owner of the
-- schema (95-grant.sql makes it so), for the owner and for who has the administrator's role.  Every change writes one event
-- (43-audit.sql).

CREATE OR REPLACE FUNCTION exedra.find_tenant(tenant text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    found_id bigint;
BEGIN
    SELECT id INTO found_id FROM exedra.tenant t WHERE t.name = tenant;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no tenant named "%".', tenant USING ERRCODE = 'EX404';
    END IF;
    RETURN found_id;
END $$;
COMMENT ON FUNCTION exedra.find_tenant(text) IS 'A tenant''s id by its name; raises EX404.';

CREATE OR REPLACE FUNCTION exedra.role_number(role text) RETURNS smallint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    CASE role
        WHEN 'default' THEN RETURN 10;
        WHEN 'manager' THEN RETURN 20;
        WHEN 'admin' THEN RETURN 30;
        ELSE RAISE EXCEPTION 'There is no role "%": it is default, manager or admin.', role USING ERRCODE = 'EX422';
    END CASE;
END $$;
COMMENT ON FUNCTION exedra.role_number(text) IS 'default, manager, admin as the numbers that are compared.';

CREATE OR REPLACE FUNCTION exedra.role_name(role int) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE role WHEN 10 THEN 'default' WHEN 20 THEN 'manager' WHEN 30 THEN 'admin' END $$;
COMMENT ON FUNCTION exedra.role_name(int) IS 'The inverse of role_number().';

CREATE OR REPLACE FUNCTION exedra.create_tenant(tenant text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    new_id bigint;
BEGIN
    INSERT INTO exedra.tenant (name) VALUES (tenant) RETURNING id INTO new_id;
    PERFORM exedra.work_for(new_id, NULL, 30), exedra.note_event('tenant.create', new_id, tenant);
    RETURN new_id;
EXCEPTION
    WHEN unique_violation THEN
        RAISE EXCEPTION 'There is a tenant named "%" already.', tenant USING ERRCODE = 'EX409';
    WHEN check_violation THEN
        RAISE EXCEPTION 'A tenant''s name is 1 to 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first: "%" is not.',
            tenant USING ERRCODE = 'EX422';
END $$;
COMMENT ON FUNCTION exedra.create_tenant(text) IS 'Make a tenant; returns its id.';

CREATE OR REPLACE FUNCTION exedra.list_tenants() RETURNS TABLE (id bigint, name text, created_at timestamptz, suspended_at timestamptz)
LANGUAGE sql STABLE AS $$ SELECT t.id, t.name, t.created_at, t.suspended_at FROM exedra.tenant t ORDER BY t.name $$;
COMMENT ON FUNCTION exedra.list_tenants() IS 'All tenants.';

CREATE OR REPLACE FUNCTION exedra.suspend_tenant(tenant text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
BEGIN
    UPDATE exedra.tenant SET suspended_at = coalesce(suspended_at, now()) WHERE id = owner_id;
    PERFORM exedra.work_for(owner_id, NULL, 30), exedra.note_event('tenant.suspend', owner_id, tenant);
END $$;
COMMENT ON FUNCTION exedra.suspend_tenant(text) IS 'Shut all credentials of a tenant; its data stays.';

CREATE OR REPLACE FUNCTION exedra.resume_tenant(tenant text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
BEGIN
    UPDATE exedra.tenant SET suspended_at = NULL WHERE id = owner_id;
    PERFORM exedra.work_for(owner_id, NULL, 30), exedra.note_event('tenant.resume', owner_id, tenant);
END $$;
COMMENT ON FUNCTION exedra.resume_tenant(text) IS 'Open a suspended tenant again.';

CREATE OR REPLACE FUNCTION exedra.delete_tenant(tenant text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
BEGIN
    -- Work that is under way may wait for what this holds, and hold what this waits for.
    FOR try IN 1 .. 10 LOOP
        BEGIN
            DELETE FROM exedra.tenant WHERE id = owner_id;
            EXIT;
        EXCEPTION WHEN deadlock_detected THEN
            IF try = 10 THEN
                RAISE;
            END IF;
        END;
    END LOOP;
    INSERT INTO exedra.former_tenant (id, name) VALUES (owner_id, tenant);
    PERFORM exedra.work_for(owner_id, NULL, 30), exedra.note_event('tenant.delete', owner_id, tenant);
END $$;
COMMENT ON FUNCTION exedra.delete_tenant(text) IS 'Delete a tenant with everything it has but its ledger and its events, which retention deletes.';

CREATE OR REPLACE FUNCTION exedra.create_account(tenant text, username text, role text DEFAULT 'default') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
    new_id bigint;
BEGIN
    PERFORM exedra.work_for(owner_id, NULL, 30);
    new_id := (exedra.new_account(create_account.username, NULL, exedra.role_number(create_account.role), '', NULL)).id;
    IF new_id IS NULL THEN
        RAISE EXCEPTION 'There is an account named "%" already.', username USING ERRCODE = 'EX409';
    END IF;
    RETURN new_id;
EXCEPTION
    WHEN check_violation THEN
        RAISE EXCEPTION 'An account needs a name.' USING ERRCODE = 'EX422';
END $$;
COMMENT ON FUNCTION exedra.create_account(text, text, text) IS 'Make an account of a tenant; returns its id.';

CREATE OR REPLACE FUNCTION exedra.list_accounts(tenant text)
RETURNS TABLE (id bigint, username text, role text, created_at timestamptz, suspended_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    RETURN QUERY
        SELECT a.id, a.username::text, exedra.role_name(a.role), a.created_at, a.suspended_at
          FROM exedra.account a WHERE a.tenant_id = exedra.tenant_id() ORDER BY a.id;
END $$;
COMMENT ON FUNCTION exedra.list_accounts(text) IS 'The accounts of a tenant.';

CREATE OR REPLACE FUNCTION exedra.find_account(tenant text, username text) RETURNS exedra.account LANGUAGE plpgsql AS $$
DECLARE
    found_row exedra.account;
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    SELECT a.* INTO found_row FROM exedra.account a
     WHERE a.tenant_id = exedra.tenant_id() AND a.username = find_account.username;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Tenant "%" has no account named "%".', tenant, username USING ERRCODE = 'EX404';
    END IF;
    RETURN found_row;
END $$;
COMMENT ON FUNCTION exedra.find_account(text, text) IS 'An account by tenant and name; raises EX404.';

CREATE OR REPLACE FUNCTION exedra.suspend_account(tenant text, username text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    who exedra.account := exedra.find_account(tenant, username);
BEGIN
    PERFORM exedra.alter_account(who.id, '{"suspended":true}', false);
END $$;
COMMENT ON FUNCTION exedra.suspend_account(text, text) IS 'Shut an account and all of its keys.';

CREATE OR REPLACE FUNCTION exedra.resume_account(tenant text, username text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    who exedra.account := exedra.find_account(tenant, username);
BEGIN
    PERFORM exedra.alter_account(who.id, '{"suspended":false}', false);
END $$;
COMMENT ON FUNCTION exedra.resume_account(text, text) IS 'Open a suspended account again; keys that were suspended themselves stay shut.';

CREATE OR REPLACE FUNCTION exedra.delete_account(tenant text, username text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    who exedra.account := exedra.find_account(tenant, username);
BEGIN
    PERFORM exedra.drop_account(who.id, false);
END $$;
COMMENT ON FUNCTION exedra.delete_account(text, text) IS 'Delete an account with its keys, threads and chats.';

CREATE OR REPLACE FUNCTION exedra.grant_workspace(tenant text, username text, slug text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    who exedra.account := exedra.find_account(tenant, username);
    room bigint;
BEGIN
    SELECT w.id INTO room FROM exedra.workspace w WHERE w.tenant_id = who.tenant_id AND w.slug = grant_workspace.slug;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Tenant "%" has no workspace "%".', tenant, slug USING ERRCODE = 'EX404';
    END IF;
    PERFORM exedra.set_members(room, ARRAY[who.id], false);
END $$;
COMMENT ON FUNCTION exedra.grant_workspace(text, text, text) IS 'Let an account with the role default into a workspace.';

CREATE OR REPLACE FUNCTION exedra.new_key() RETURNS text LANGUAGE sql VOLATILE AS $$
    -- 244 bits of PostgreSQL's strong randomness (two version 4 uuids), spread over 32 bytes by sha256.
    SELECT 'sk-exd-' || translate(rtrim(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),
                                               'base64'), '='), '+/', '-_')
$$;
COMMENT ON FUNCTION exedra.new_key() IS 'The text of a fresh API key: sk-exd- and 43 base64url characters.';

CREATE OR REPLACE FUNCTION exedra.key_groups(groups text[], in_workspaces boolean) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    inside constant text[] := '{chat,documents,embed,embeddings,models,search,workspaces}';
    outside constant text[] := '{account,admin,system,users}';
    wrong text := (SELECT g FROM unnest(groups) g WHERE g <> ALL (inside || outside || 'open'::text) OR g IS NULL LIMIT 1);
BEGIN
    IF wrong IS NOT NULL OR array_position(groups, NULL) > 0 THEN
        RAISE EXCEPTION 'There is no group "%": they are %.', wrong, array_to_string(inside || outside, ', ') USING ERRCODE = 'EX422';
    ELSIF in_workspaces AND groups && outside THEN
        RAISE EXCEPTION 'A key that is limited to workspaces cannot have the groups %.', array_to_string(outside, ', ') USING ERRCODE = 'EX422';
    ELSIF in_workspaces THEN
        groups := coalesce(groups, inside);
    END IF;
    RETURN ARRAY(SELECT DISTINCT g FROM unnest(groups || 'open'::text) g WHERE groups IS NOT NULL ORDER BY g);
END $$;
COMMENT ON FUNCTION exedra.key_groups(text[], boolean) IS 'What credential.groups holds for a key with these groups of routes (src/web/route.h); raises EX422.  A key that is limited to workspaces has none that reach beyond: who may make accounts has everything.';

CREATE OR REPLACE FUNCTION exedra.create_key(tenant text, username text DEFAULT NULL, label text DEFAULT '',
                                             lifetime interval DEFAULT NULL, read_only boolean DEFAULT false,
                                             groups text[] DEFAULT NULL, workspaces text[] DEFAULT NULL,
                                             addresses text[] DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
    who exedra.account;
    key text := exedra.new_key();
    rooms bigint[];
    networks cidr[];
    one text;
BEGIN
    PERFORM exedra.work_for(owner_id, NULL, 30);
    FOREACH one IN ARRAY coalesce(workspaces, '{}') LOOP
        rooms := rooms || (SELECT w.id FROM exedra.workspace w WHERE w.tenant_id = owner_id AND w.slug = one);
        IF rooms[cardinality(rooms)] IS NULL THEN
            RAISE EXCEPTION 'Tenant "%" has no workspace "%".', tenant, one USING ERRCODE = 'EX404';
        END IF;
    END LOOP;
    FOREACH one IN ARRAY coalesce(addresses, '{}') LOOP
        BEGIN
            -- PostgreSQL would take 192.0.2 for 192.0.2.0/24.
            IF (one ~ '^(.*:)?\d+(\.\d+){3}(/|$)|^[^.]*:[^.]*$') IS NOT TRUE THEN
                RAISE invalid_text_representation;
            END IF;
            networks := networks || one::cidr;
        EXCEPTION WHEN invalid_text_representation THEN
            RAISE EXCEPTION '"%" is no network: it is written whole, as 192.0.2.0/24 or 2001:db8::/32.', one USING ERRCODE = 'EX422';
        END;
    END LOOP;
    IF workspaces = '{}' OR groups = '{}' OR addresses = '{}' THEN
        RAISE EXCEPTION 'A key that is limited to nothing is none.' USING ERRCODE = 'EX422';
    END IF;
    IF lifetime <= interval '0' THEN
        RAISE EXCEPTION 'A key''s lifetime must be more than nothing.' USING ERRCODE = 'EX422';
    END IF;
    IF username IS NOT NULL THEN
        -- Held: else the key of an account that is just being shut, or given another role, would not be told.
        PERFORM FROM exedra.account a WHERE a.tenant_id = owner_id AND a.username = create_key.username FOR SHARE;
        who := exedra.find_account(tenant, username);
    END IF;
    INSERT INTO exedra.credential (hash, tenant_id, account_id, role, label, hint, expires_at, account_suspended_at,
                                   read_only, groups, workspace_ids, addresses)
    VALUES (sha256(convert_to(key, 'UTF8')), owner_id, who.id, coalesce(who.role, 30), create_key.label, right(key, 4),
            now() + lifetime, who.suspended_at, coalesce(create_key.read_only, false),
            nullif(exedra.key_groups(create_key.groups, rooms IS NOT NULL), '{}'), rooms, networks);
    PERFORM exedra.note_key('create', owner_id, (SELECT c.id FROM exedra.credential c WHERE c.hash = sha256(convert_to(key, 'UTF8'))));
    RETURN key;
END $$;
COMMENT ON FUNCTION exedra.create_key(text, text, text, interval, boolean, text[], text[], text[]) IS 'Make an API key of a tenant, or of one of its accounts, that may do all its account may or less: only read, only routes of some groups, only in some workspaces (slugs), only from some networks; returns its text, which is kept nowhere.';

CREATE OR REPLACE FUNCTION exedra.list_keys(tenant text)
RETURNS TABLE (id bigint, hint text, account text, role text, label text, created_at timestamptz, expires_at timestamptz,
               suspended_at timestamptz, used_at timestamptz, read_only boolean, groups text, workspaces text, addresses text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    RETURN QUERY
        SELECT c.id, c.hint, a.username::text, exedra.role_name(c.role), c.label, c.created_at, c.expires_at, c.suspended_at,
               c.used_at, c.read_only, array_to_string(array_remove(c.groups, 'open'), ','),
               CASE WHEN c.workspace_ids IS NOT NULL THEN
                   (SELECT coalesce(string_agg(w.slug, ',' ORDER BY w.slug), '') FROM exedra.workspace w
                     WHERE w.tenant_id = c.tenant_id AND w.id = ANY (c.workspace_ids)) END,
               array_to_string(c.addresses, ',')
          FROM exedra.credential c
          LEFT JOIN exedra.account a ON (a.tenant_id, a.id) = (c.tenant_id, c.account_id)
         WHERE c.tenant_id = exedra.tenant_id() AND c.kind = 'key' ORDER BY c.id;
END $$;
COMMENT ON FUNCTION exedra.list_keys(text) IS 'The keys of a tenant, without their text, with when each was last used and what it is limited to.';

CREATE OR REPLACE FUNCTION exedra.note_key(change text, tenant bigint, key_id bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    c exedra.credential;
BEGIN
    PERFORM exedra.work_for(tenant, NULL, 30);
    SELECT k.* INTO c FROM exedra.credential k WHERE k.tenant_id = tenant AND k.id = key_id;
    IF FOUND THEN
        PERFORM exedra.note_event('key.' || change, c.id, CASE c.kind WHEN 'session' THEN 'session' ELSE concat_ws(' ', nullif(c.label, ''), '...' || c.hint) END,
            json_strip_nulls(json_build_object('account', c.account_id, 'role', exedra.role_name(c.role), 'expires', exedra.iso(c.expires_at),
                'read_only', nullif(c.read_only, false), 'groups', c.groups, 'workspaces', c.workspace_ids, 'networks', c.addresses)));
    END IF;
END $$;
COMMENT ON FUNCTION exedra.note_key(text, bigint, bigint) IS 'Write the event of a change of a key, while the key is there.';

CREATE OR REPLACE FUNCTION exedra.change_key(tenant text, key_id bigint, change text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
BEGIN
    PERFORM exedra.note_key(change, owner_id, key_id);
    CASE change
        WHEN 'suspend' THEN
            UPDATE exedra.credential SET suspended_at = coalesce(suspended_at, now()) WHERE tenant_id = owner_id AND id = key_id;
        WHEN 'resume' THEN
            UPDATE exedra.credential SET suspended_at = NULL WHERE tenant_id = owner_id AND id = key_id;
        WHEN 'delete' THEN
            DELETE FROM exedra.credential WHERE tenant_id = owner_id AND id = key_id;
    END CASE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Tenant "%" has no key %.', tenant, key_id USING ERRCODE = 'EX404';
    END IF;
END $$;
COMMENT ON FUNCTION exedra.change_key(text, bigint, text) IS 'Suspend, resume or delete a key by its id; holds at the next request.';

CREATE OR REPLACE FUNCTION exedra.set_provider(tenant_id bigint, name text, kind text, url text, sealed_key bytea, model text,
                                               context_tokens int, preferred boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    new_id bigint;
BEGIN
    IF (url ~* '^https?://([^\s/?#@\\]*@)?([^\s/?#@:\\[\]]+|\[[0-9a-f:.]+\])(:\d{1,5})?([/?#][^\s\\]*)?$') IS NOT TRUE THEN
        RAISE EXCEPTION 'A provider''s URL is that of an http or https server, as https://api.example.com/v1: "%" is not.', url USING ERRCODE = 'EX422';
    END IF;
    PERFORM exedra.work_for(set_provider.tenant_id, NULL, 30);
    IF preferred THEN
        UPDATE exedra.provider p SET preferred = false WHERE p.tenant_id = set_provider.tenant_id AND p.preferred;
    END IF;
    new_id := exedra.put_provider(jsonb_build_object('name', name, 'kind', kind, 'url', url, 'key', encode(sealed_key, 'hex'), 'model', model,
                                                     'context', coalesce(context_tokens, 8192), 'preferred', preferred));
    RETURN new_id;
EXCEPTION WHEN check_violation THEN
    RAISE EXCEPTION 'A provider needs a name, the kind openai or ollama and a window of at least 512 tokens.' USING ERRCODE = 'EX422';
END $$;
COMMENT ON FUNCTION exedra.set_provider(bigint, text, text, text, bytea, text, int, boolean) IS 'Make or change a provider of a tenant.  Only exedractl can seal a key, so it is the usual caller.';

CREATE OR REPLACE FUNCTION exedra.list_providers(tenant text)
RETURNS TABLE (name text, kind text, url text, has_key boolean, model text, context_tokens int, preferred boolean)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    RETURN QUERY SELECT p.name::text, p.kind, p.url, p.sealed_key IS NOT NULL, p.model, p.context_tokens, p.preferred
                   FROM exedra.provider p WHERE p.tenant_id = exedra.tenant_id() ORDER BY p.name;
END $$;
COMMENT ON FUNCTION exedra.list_providers(text) IS 'The providers of a tenant, without their keys.';

CREATE OR REPLACE FUNCTION exedra.delete_provider(tenant text, name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    DELETE FROM exedra.provider p WHERE p.tenant_id = exedra.tenant_id() AND p.name = delete_provider.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Tenant "%" has no provider "%".', tenant, name USING ERRCODE = 'EX404';
    END IF;
    PERFORM exedra.note_event('provider.delete', NULL, name);
END $$;
COMMENT ON FUNCTION exedra.delete_provider(text, text) IS 'Delete a provider of a tenant.';
