-- Definitions that PostgreSQL cannot replace are made again only when their text has changed; the text is kept as the
-- comment.  An upgrade that changes nothing takes no lock that a running request could wait for.

CREATE OR REPLACE FUNCTION exedra.define_type(name text, members text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF members IS DISTINCT FROM (SELECT obj_description(t.oid, 'pg_type') FROM pg_catalog.pg_type t
                                  WHERE t.typnamespace = 'exedra'::regnamespace AND t.typname = define_type.name) THEN
        EXECUTE format('DROP TYPE IF EXISTS exedra.%I CASCADE', name);
        EXECUTE format('CREATE TYPE exedra.%I AS (%s)', name, members);
        EXECUTE format('COMMENT ON TYPE exedra.%I IS %L', name, members);
    END IF;
END $$;
CREATE OR REPLACE FUNCTION exedra.define_trigger(tenant_table text, name text, body text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF body IS DISTINCT FROM (SELECT obj_description(t.oid, 'pg_trigger') FROM pg_catalog.pg_trigger t
                               WHERE t.tgrelid = format('exedra.%I', tenant_table)::regclass AND t.tgname = define_trigger.name) THEN
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON exedra.%I', name, tenant_table);
        EXECUTE format('CREATE TRIGGER %I %s', name, format(body, format('exedra.%I', tenant_table)));
        EXECUTE format('COMMENT ON TRIGGER %I ON exedra.%I IS %L', name, tenant_table, body);
    END IF;
END $$;
COMMENT ON FUNCTION exedra.define_trigger(text, text, text) IS 'Make a trigger of a table, unless it is there with exactly this text; %s stands for the table.';

COMMENT ON FUNCTION exedra.define_type(text, text) IS 'Make a composite type, unless it is there with exactly these members.';

CREATE OR REPLACE FUNCTION exedra.define_policy(tenant_table text, name text, body text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF body IS DISTINCT FROM (SELECT obj_description(p.oid, 'pg_policy') FROM pg_catalog.pg_policy p
                               WHERE p.polrelid = format('exedra.%I', tenant_table)::regclass AND p.polname = define_policy.name) THEN
        EXECUTE format('DROP POLICY IF EXISTS %I ON exedra.%I', name, tenant_table);
        EXECUTE format('CREATE POLICY %I ON exedra.%I %s', name, tenant_table, body);
        EXECUTE format('COMMENT ON POLICY %I ON exedra.%I IS %L', name, tenant_table, body);
    END IF;
    IF NOT (SELECT c.relrowsecurity AND c.relforcerowsecurity FROM pg_catalog.pg_class c
             WHERE c.oid = format('exedra.%I', tenant_table)::regclass) THEN
        EXECUTE format('ALTER TABLE exedra.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', tenant_table);
    END IF;
END $$;
COMMENT ON FUNCTION exedra.define_policy(text, text, text) IS 'Make a policy of a table and force row-level security on it, unless that is so already.';
