-- Who the current transaction works for.  exedra.enter() and exedra.resume() set these for one transaction;
-- policies and statements read them.  nullif(): after a connection's first transaction an unset setting is '',
-- not NULL.

CREATE OR REPLACE FUNCTION exedra.tenant_id() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('exedra.tenant_id', true), '')::bigint $$;
COMMENT ON FUNCTION exedra.tenant_id() IS 'The tenant of this transaction, or NULL: then every tenant table is empty.';

CREATE OR REPLACE FUNCTION exedra.account_id() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('exedra.account_id', true), '')::bigint $$;
COMMENT ON FUNCTION exedra.account_id() IS 'The account of this transaction, or NULL for a tenant''s own key.';

CREATE OR REPLACE FUNCTION exedra.sees_all() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(current_setting('exedra.role', true), '') IN ('20', '30') $$;
COMMENT ON FUNCTION exedra.sees_all() IS 'Whether this transaction sees all workspaces and chats of its tenant (manager, admin) or its account''s own.';

CREATE OR REPLACE FUNCTION exedra.is_manager() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(current_setting('exedra.role', true), '') IN ('15', '20', '30') $$;
COMMENT ON FUNCTION exedra.is_manager() IS 'Whether this transaction is a manager''s or an administrator''s: of all workspaces, or with 15 as its role of those that the key is limited to.';

CREATE OR REPLACE FUNCTION exedra.workspace_ids() RETURNS bigint[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('exedra.workspaces', true), '')::bigint[] $$;
COMMENT ON FUNCTION exedra.workspace_ids() IS 'The workspaces that the key of this transaction is limited to, NULL when it is not; means nothing where sees_all().';

CREATE OR REPLACE FUNCTION exedra.in_rooms(workspace bigint) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    rooms constant text := current_setting('exedra.workspaces', true);
BEGIN
    -- plpgsql, as what else policies ask behind sees_all(): most do not come so far, and beginning a plan with long expressions in it
    -- takes longer than to call this for some rows.
    RETURN coalesce(rooms, '') = '' OR workspace = ANY (rooms::bigint[]);
END $$;
COMMENT ON FUNCTION exedra.in_rooms(bigint) IS 'Whether a workspace is one of those that the key of this transaction is limited to, if it is.';

CREATE OR REPLACE FUNCTION exedra.own_workspaces() RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF exedra.is_manager() THEN
        RETURN exedra.workspace_ids();
    END IF;
    RETURN ARRAY(SELECT m.workspace_id FROM exedra.workspace_account m
                  WHERE m.tenant_id = exedra.tenant_id() AND m.account_id = exedra.account_id() AND exedra.in_rooms(m.workspace_id));
END $$;
COMMENT ON FUNCTION exedra.own_workspaces() IS 'The workspaces that this transaction may see when it does not see all: its account''s, of those that its key is limited to.';

CREATE OR REPLACE FUNCTION exedra.is_own(workspace bigint, account bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN exedra.sees_all() OR exedra.in_rooms(workspace) AND (exedra.is_manager() OR account = exedra.account_id());
END $$;
COMMENT ON FUNCTION exedra.is_own(bigint, bigint) IS 'Whether a thread or chat of this workspace and account is one that this transaction may see, and so write.';

CREATE OR REPLACE FUNCTION exedra.key_id() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT abs(nullif(current_setting('exedra.key', true), '')::bigint) $$;
COMMENT ON FUNCTION exedra.key_id() IS 'The key or session of this transaction, or NULL.';

CREATE OR REPLACE FUNCTION exedra.is_limited() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT starts_with(current_setting('exedra.key', true), '-') $$;
COMMENT ON FUNCTION exedra.is_limited() IS 'Whether the tenant of this transaction has limits: exedra.key is negative then.';

CREATE OR REPLACE FUNCTION exedra.any_workspace() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT exedra.sees_all() AND exedra.workspace_ids() IS NOT NULL THEN
        RAISE EXCEPTION 'key_workspaces' USING ERRCODE = 'EX403';
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION exedra.any_workspace() IS 'Raise EX403 where the key is limited to workspaces: what is in none of them is not for it.';

CREATE OR REPLACE FUNCTION exedra.work_for(tenant_id bigint, account_id bigint, role int) RETURNS void
LANGUAGE sql AS $$
    SELECT set_config('exedra.tenant_id', coalesce($1::text, ''), true),
           set_config('exedra.account_id', coalesce($2::text, ''), true),
           set_config('exedra.role', $3::text, true)
$$;
COMMENT ON FUNCTION exedra.work_for(bigint, bigint, int) IS 'Make the rest of this transaction work for a tenant: what an administrator calls before looking into tenant tables.';
