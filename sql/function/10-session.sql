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
$$ SELECT coalesce(nullif(current_setting('exedra.role', true), '')::int, 0) >= 20 $$;
COMMENT ON FUNCTION exedra.sees_all() IS 'Whether this transaction sees all workspaces and chats of its tenant (manager, admin) or its account''s own.';

CREATE OR REPLACE FUNCTION exedra.is_manager() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting('exedra.role', true), '')::int, 0) >= 15 $$;
COMMENT ON FUNCTION exedra.is_manager() IS 'Whether this transaction is a manager''s or an administrator''s: of all workspaces, or with 15 as its role of those that the key is limited to.';

CREATE OR REPLACE FUNCTION exedra.workspace_ids() RETURNS bigint[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('exedra.workspaces', true), '')::bigint[] $$;
COMMENT ON FUNCTION exedra.workspace_ids() IS 'The workspaces that the key of this transaction is limited to, NULL when it is not; means nothing where sees_all().';

CREATE OR REPLACE FUNCTION exedra.in_rooms(workspace bigint) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('exedra.workspaces', true), '') IS NULL OR $1 = ANY (nullif(current_setting('exedra.workspaces', true), '')::bigint[]) $$;
COMMENT ON FUNCTION exedra.in_rooms(bigint) IS 'Whether a workspace is one of those that the key of this transaction is limited to, if it is.';

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
