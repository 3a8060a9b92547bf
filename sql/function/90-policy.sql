-- Row-level security of every tenant table, made again on each upgrade.  A tenant table that is missing here fails
-- t/20-schema.t.  The scalar sub-selects make PostgreSQL ask once a statement instead of once a row, and keep a
-- cached plan from remembering the first tenant's size.

DO $$
DECLARE
    tenant_table text;
    old_policy record;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['account', 'setting', 'provider', 'workspace', 'workspace_account', 'thread', 'document',
        'document_version', 'document_text', 'chunk', 'workspace_document', 'chat', 'open_chat', 'usage']
    LOOP
        FOR old_policy IN SELECT policyname FROM pg_policies WHERE schemaname = 'exedra' AND tablename = tenant_table LOOP
            EXECUTE format('DROP POLICY %I ON exedra.%I', old_policy.policyname, tenant_table);
        END LOOP;
        EXECUTE format('ALTER TABLE exedra.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY tenant ON exedra.%I USING (tenant_id = (SELECT exedra.tenant_id()))
                        WITH CHECK (tenant_id = (SELECT exedra.tenant_id()))', tenant_table);
    END LOOP;
END $$;

-- An account with the role default sees its workspaces, and its own threads and chats in them.
CREATE POLICY member ON exedra.workspace AS RESTRICTIVE USING (
    (SELECT exedra.sees_all()) OR id IN (
        SELECT m.workspace_id FROM exedra.workspace_account m
         WHERE m.tenant_id = (SELECT exedra.tenant_id()) AND m.account_id = (SELECT exedra.account_id())));
CREATE POLICY own ON exedra.thread AS RESTRICTIVE USING (
    (SELECT exedra.sees_all()) OR account_id = (SELECT exedra.account_id()));
CREATE POLICY own ON exedra.chat AS RESTRICTIVE USING (
    (SELECT exedra.sees_all()) OR account_id = (SELECT exedra.account_id()));
