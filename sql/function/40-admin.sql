-- What an administrator does, from psql as from exedractl: the same functions.  They run as their caller, who must
-- be the owner of the schema; names are what people type.

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
    RETURN new_id;
EXCEPTION
    WHEN unique_violation THEN
        RAISE EXCEPTION 'There is a tenant named "%" already.', tenant USING ERRCODE = 'EX409';
    WHEN check_violation THEN
        RAISE EXCEPTION 'A tenant''s name is 1 to 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first: "%" is not.',
            tenant USING ERRCODE = 'EX422';
END $$;
COMMENT ON FUNCTION exedra.create_tenant(text) IS 'Make a tenant; returns its id.';

CREATE OR REPLACE FUNCTION exedra.suspend_tenant(tenant text) RETURNS void LANGUAGE sql AS
$$ UPDATE exedra.tenant SET suspended_at = coalesce(suspended_at, now()) WHERE id = exedra.find_tenant($1) $$;
COMMENT ON FUNCTION exedra.suspend_tenant(text) IS 'Shut all credentials of a tenant; its data stays.';

CREATE OR REPLACE FUNCTION exedra.resume_tenant(tenant text) RETURNS void LANGUAGE sql AS
$$ UPDATE exedra.tenant SET suspended_at = NULL WHERE id = exedra.find_tenant($1) $$;
COMMENT ON FUNCTION exedra.resume_tenant(text) IS 'Open a suspended tenant again.';

CREATE OR REPLACE FUNCTION exedra.delete_tenant(tenant text) RETURNS void LANGUAGE sql AS
$$ DELETE FROM exedra.tenant WHERE id = exedra.find_tenant($1) $$;
COMMENT ON FUNCTION exedra.delete_tenant(text) IS 'Delete a tenant with everything it has.';

CREATE OR REPLACE FUNCTION exedra.create_account(tenant text, username text, role text DEFAULT 'default') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
    new_id bigint;
BEGIN
    PERFORM exedra.work_for(owner_id, NULL, 30);
    INSERT INTO exedra.account (tenant_id, username, role)
    VALUES (owner_id, create_account.username, exedra.role_number(create_account.role)) RETURNING id INTO new_id;
    RETURN new_id;
EXCEPTION
    WHEN unique_violation THEN
        RAISE EXCEPTION 'There is an account named "%" already.', username USING ERRCODE = 'EX409';
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
    UPDATE exedra.account SET suspended_at = coalesce(suspended_at, now()) WHERE (tenant_id, id) = (who.tenant_id, who.id);
    UPDATE exedra.credential SET account_suspended_at = coalesce(account_suspended_at, now()) WHERE (tenant_id, account_id) = (who.tenant_id, who.id);
END $$;
COMMENT ON FUNCTION exedra.suspend_account(text, text) IS 'Shut an account and all of its keys.';

CREATE OR REPLACE FUNCTION exedra.resume_account(tenant text, username text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    who exedra.account := exedra.find_account(tenant, username);
BEGIN
    UPDATE exedra.account SET suspended_at = NULL WHERE (tenant_id, id) = (who.tenant_id, who.id);
    UPDATE exedra.credential SET account_suspended_at = NULL WHERE (tenant_id, account_id) = (who.tenant_id, who.id);
END $$;
COMMENT ON FUNCTION exedra.resume_account(text, text) IS 'Open a suspended account again; keys that were suspended themselves stay shut.';

CREATE OR REPLACE FUNCTION exedra.delete_account(tenant text, username text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    who exedra.account := exedra.find_account(tenant, username);
BEGIN
    DELETE FROM exedra.account WHERE (tenant_id, id) = (who.tenant_id, who.id);
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
    INSERT INTO exedra.workspace_account (tenant_id, workspace_id, account_id) VALUES (who.tenant_id, room, who.id)
    ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION exedra.grant_workspace(text, text, text) IS 'Let an account with the role default into a workspace.';

CREATE OR REPLACE FUNCTION exedra.new_key() RETURNS text LANGUAGE sql VOLATILE AS $$
    -- 244 bits of PostgreSQL's strong randomness (two version 4 uuids), spread over 32 bytes by sha256.
    SELECT 'sk-exd-' || translate(rtrim(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),
                                               'base64'), '='), '+/', '-_')
$$;
COMMENT ON FUNCTION exedra.new_key() IS 'The text of a fresh API key: sk-exd- and 43 base64url characters.';

CREATE OR REPLACE FUNCTION exedra.create_key(tenant text, username text DEFAULT NULL, label text DEFAULT '',
                                             lifetime interval DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
    who exedra.account;
    key text := exedra.new_key();
BEGIN
    IF lifetime <= interval '0' THEN
        RAISE EXCEPTION 'A key''s lifetime must be more than nothing.' USING ERRCODE = 'EX422';
    END IF;
    IF username IS NOT NULL THEN
        who := exedra.find_account(tenant, username);
    END IF;
    INSERT INTO exedra.credential (hash, tenant_id, account_id, role, label, hint, expires_at, account_suspended_at)
    VALUES (sha256(convert_to(key, 'UTF8')), owner_id, who.id, coalesce(who.role, 30), create_key.label, right(key, 4),
            now() + lifetime, who.suspended_at);
    RETURN key;
END $$;
COMMENT ON FUNCTION exedra.create_key(text, text, text, interval) IS 'Make an API key of a tenant, or of one of its accounts; returns its text, which is kept nowhere.';

CREATE OR REPLACE FUNCTION exedra.list_keys(tenant text)
RETURNS TABLE (id bigint, hint text, account text, role text, label text, created_at timestamptz, expires_at timestamptz,
               suspended_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    RETURN QUERY
        SELECT c.id, c.hint, a.username::text, exedra.role_name(c.role), c.label, c.created_at, c.expires_at, c.suspended_at
          FROM exedra.credential c
          LEFT JOIN exedra.account a ON (a.tenant_id, a.id) = (c.tenant_id, c.account_id)
         WHERE c.tenant_id = exedra.tenant_id() AND c.kind = 'key' ORDER BY c.id;
END $$;
COMMENT ON FUNCTION exedra.list_keys(text) IS 'The keys of a tenant, without their text.';

CREATE OR REPLACE FUNCTION exedra.change_key(tenant text, key_id bigint, change text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
BEGIN
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
    PERFORM exedra.work_for(set_provider.tenant_id, NULL, 30);
    IF preferred THEN
        UPDATE exedra.provider p SET preferred = false WHERE p.tenant_id = set_provider.tenant_id AND p.preferred;
    END IF;
    INSERT INTO exedra.provider AS p (tenant_id, name, kind, url, sealed_key, model, context_tokens, preferred)
    VALUES (set_provider.tenant_id, set_provider.name, set_provider.kind, set_provider.url, set_provider.sealed_key,
            set_provider.model, coalesce(set_provider.context_tokens, 8192), set_provider.preferred)
        ON CONFLICT ON CONSTRAINT provider_tenant_id_name_key DO UPDATE
       SET kind = excluded.kind, url = excluded.url, sealed_key = excluded.sealed_key, model = excluded.model,
           context_tokens = excluded.context_tokens, preferred = excluded.preferred
    RETURNING p.id INTO new_id;
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
END $$;
COMMENT ON FUNCTION exedra.delete_provider(text, text) IS 'Delete a provider of a tenant.';
