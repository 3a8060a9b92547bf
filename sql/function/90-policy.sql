-- Row-level security of every tenant table.  A tenant table that is missing here fails t/20-schema.t.  The scalar
-- sub-selects make PostgreSQL ask once a statement instead of once a row, and keep a cached plan from remembering the first
-- tenant's size.

SELECT exedra.define_policy(t, 'tenant', 'USING (tenant_id = (SELECT exedra.tenant_id())) WITH CHECK (tenant_id = (SELECT exedra.tenant_id()))')
  FROM unnest(ARRAY['account', 'setting', 'provider', 'workspace', 'workspace_account', 'thread', 'folder', 'file', 'file_part',
                    'document', 'document_version', 'document_text', 'chunk', 'segment', 'segment_part', 'word',
                    'embedder', 'embedding', 'embedded', 'embedding_code', 'workspace_document', 'workspace_file',
                    'chat', 'embed', 'open_chat', 'usage']) t;

-- An account with the role default sees its workspaces, and its own threads and chats in them.
SELECT exedra.define_policy('workspace', 'member', 'AS RESTRICTIVE USING (
    (SELECT exedra.sees_all()) OR id IN (
        SELECT m.workspace_id FROM exedra.workspace_account m
         WHERE m.tenant_id = (SELECT exedra.tenant_id()) AND m.account_id = (SELECT exedra.account_id())))');
SELECT exedra.define_policy('file', 'own', 'AS RESTRICTIVE USING (
    (SELECT exedra.sees_all()) OR account_id = (SELECT exedra.account_id()) OR id IN (
        SELECT d.file_id FROM exedra.workspace_account m
          JOIN exedra.workspace_document l ON l.tenant_id = m.tenant_id AND l.workspace_id = m.workspace_id
          JOIN exedra.document d ON d.tenant_id = l.tenant_id AND d.id = l.document_id
         WHERE m.tenant_id = (SELECT exedra.tenant_id()) AND m.account_id = (SELECT exedra.account_id())))');
SELECT exedra.define_policy('thread', 'own', 'AS RESTRICTIVE USING (
    (SELECT exedra.sees_all()) OR account_id = (SELECT exedra.account_id()))');
SELECT exedra.define_policy('chat', 'own', 'AS RESTRICTIVE USING (
    (SELECT exedra.sees_all()) OR account_id = (SELECT exedra.account_id()))');
