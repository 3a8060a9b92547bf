-- Row-level security of every tenant table.  A tenant table that is missing here fails t/20-schema.t.  The scalar
-- sub-selects make PostgreSQL ask once a statement instead of once a row, and keep a cached plan from remembering the first
-- tenant's size.  What is written is a row or few: there a sub-select, or a long expression, costs more to begin than it saves.

SELECT exedra.define_policy(t, 'tenant', 'USING (tenant_id = (SELECT exedra.tenant_id())) WITH CHECK (tenant_id = exedra.tenant_id())')
  FROM unnest(ARRAY['account', 'setting', 'provider', 'workspace', 'workspace_account', 'thread', 'folder', 'file', 'file_part',
                    'document', 'document_version', 'document_text', 'chunk', 'segment', 'segment_part', 'word',
                    'embedder', 'embedding', 'embedded', 'embedding_code', 'workspace_document', 'workspace_file',
                    'chat', 'embed', 'open_chat', 'usage', 'quota', 'quota_used', 'quota_hold', 'event']) t;

-- An account with the role default sees its workspaces, and its own threads and chats in them; a key that is limited to workspaces
-- only those of its account's, and what is in them or was handed in by it.  sees_all() is asked first, and once a statement: who does
-- pays for nothing else.  The others are asked row by row: starting a plan with a sub-select takes longer than looking at 20 rows.
SELECT exedra.define_policy('workspace', 'in_any', 'AS RESTRICTIVE FOR INSERT WITH CHECK ((SELECT exedra.any_workspace()))');
-- A folder goes with all that is in it, seen or not.
SELECT exedra.define_policy('folder', 'in_any', 'AS RESTRICTIVE FOR DELETE USING ((SELECT exedra.any_workspace()))');
SELECT exedra.define_policy('workspace', 'member', 'AS RESTRICTIVE USING (
    (SELECT exedra.sees_all()) OR id = ANY ((SELECT exedra.own_workspaces())::bigint[]))
    WITH CHECK (exedra.sees_all() OR id = ANY (exedra.own_workspaces()))');
SELECT exedra.define_policy('file', 'own', 'AS RESTRICTIVE USING (
    (SELECT exedra.sees_all())
    OR key_id = (SELECT exedra.key_id())
    OR (SELECT exedra.workspace_ids()) IS NULL AND account_id = (SELECT exedra.account_id())
    OR id IN (
        SELECT d.file_id FROM exedra.workspace_account m
          JOIN exedra.workspace_document l ON l.tenant_id = m.tenant_id AND l.workspace_id = m.workspace_id
          JOIN exedra.document d ON d.tenant_id = l.tenant_id AND d.id = l.document_id
         WHERE m.tenant_id = (SELECT exedra.tenant_id()) AND m.account_id = (SELECT exedra.account_id()))
    OR (SELECT exedra.is_manager()) AND id IN (
        SELECT d.file_id FROM exedra.workspace_document l
          JOIN exedra.document d ON d.tenant_id = l.tenant_id AND d.id = l.document_id
         WHERE l.tenant_id = (SELECT exedra.tenant_id()) AND l.workspace_id = ANY ((SELECT exedra.workspace_ids())::bigint[])))');
SELECT exedra.define_policy('document', 'key', 'AS RESTRICTIVE USING (
    (SELECT exedra.sees_all())
    OR (SELECT exedra.workspace_ids()) IS NULL
    OR key_id = (SELECT exedra.key_id())
    OR id IN (
        SELECT l.document_id FROM exedra.workspace_document l
         WHERE l.tenant_id = (SELECT exedra.tenant_id()) AND l.workspace_id = ANY ((SELECT exedra.workspace_ids())::bigint[])
           AND ((SELECT exedra.is_manager()) OR l.workspace_id IN (
               SELECT m.workspace_id FROM exedra.workspace_account m
                WHERE m.tenant_id = (SELECT exedra.tenant_id()) AND m.account_id = (SELECT exedra.account_id())))))');
SELECT exedra.define_policy(t, 'key', 'AS RESTRICTIVE USING (
    (SELECT exedra.sees_all()) OR exedra.in_rooms(workspace_id))')
  FROM unnest(ARRAY['workspace_document', 'workspace_file', 'embed']) t;
SELECT exedra.define_policy(t, 'own', 'AS RESTRICTIVE USING ((SELECT exedra.sees_all()) OR exedra.is_own(workspace_id, account_id))
    WITH CHECK (exedra.is_own(workspace_id, account_id))')
  FROM unnest(ARRAY['thread', 'chat']) t;
-- Everybody may be written of, administrators and managers read it.
SELECT exedra.define_policy('event', 'whole', 'AS RESTRICTIVE FOR SELECT USING ((SELECT exedra.sees_all()))');
-- Everybody may write what something has cost.
SELECT exedra.define_policy('usage', 'key', 'AS RESTRICTIVE FOR SELECT USING (
    (SELECT exedra.sees_all()) OR exedra.in_rooms(workspace_id))');
