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

CREATE OR REPLACE FUNCTION exedra.work_for(tenant_id bigint, account_id bigint, role int) RETURNS void
LANGUAGE sql AS $$
    SELECT set_config('exedra.tenant_id', coalesce($1::text, ''), true),
           set_config('exedra.account_id', coalesce($2::text, ''), true),
           set_config('exedra.role', $3::text, true)
$$;
COMMENT ON FUNCTION exedra.work_for(bigint, bigint, int) IS 'Make the rest of this transaction work for a tenant: what an administrator calls before looking into tenant tables.';
