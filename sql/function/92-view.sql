-- What an administrator reads at night: a view a noun, in the plural, over all tenants.  None shows a hash, a sealed key or a password.
-- Where one is asked for a tenant by name, only that tenant is looked into.  To look into a tenant leaves the transaction working for it.

CREATE OR REPLACE FUNCTION exedra.define_view(name text, query text, meaning text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    readers text[];
    reader text;
BEGIN
    BEGIN
        EXECUTE format('CREATE OR REPLACE VIEW exedra.%I AS %s', name, query);
    EXCEPTION WHEN invalid_table_definition THEN    -- columns have gone or changed
        readers := ARRAY(SELECT a.grantee::regrole::text FROM pg_catalog.pg_class c, aclexplode(c.relacl) a
                          WHERE c.oid = format('exedra.%I', name)::regclass AND a.privilege_type = 'SELECT' AND a.grantee NOT IN (0, c.relowner));
        EXECUTE format('DROP VIEW exedra.%I', name);
        EXECUTE format('CREATE VIEW exedra.%I AS %s', name, query);
        FOREACH reader IN ARRAY readers LOOP
            EXECUTE format('GRANT SELECT ON exedra.%I TO %s', name, reader);
        END LOOP;
    END;
    EXECUTE format('COMMENT ON VIEW exedra.%I IS %L', name, meaning);
END $$;
COMMENT ON FUNCTION exedra.define_view(text, text, text) IS 'Make a view, or make it anew for those who could read it.';

-- ---- what stands behind them

CREATE OR REPLACE FUNCTION exedra.list_workspaces(tenant text)
RETURNS TABLE (id bigint, slug text, name text, created_at timestamptz, documents bigint, passages bigint, bytes bigint, threads bigint, chats bigint,
               members bigint, chat_provider text, chat_model text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    RETURN QUERY
        SELECT w.id, w.slug::text, w.name, w.created_at, d.n, coalesce(d.passages, 0), coalesce(d.bytes, 0),
               (SELECT count(*) FROM exedra.thread h WHERE h.tenant_id = w.tenant_id AND h.workspace_id = w.id),
               (SELECT count(*) FROM exedra.chat c WHERE c.tenant_id = w.tenant_id AND c.workspace_id = w.id),
               (SELECT count(*) FROM exedra.workspace_account m WHERE m.tenant_id = w.tenant_id AND m.workspace_id = w.id),
               w.chat_provider, w.chat_model
          FROM exedra.workspace w,
               LATERAL (SELECT count(*) AS n, sum(v.n_chunks)::bigint AS passages,
                               sum((SELECT sum(octet_length(t.text)) FROM exedra.document_text t
                                     WHERE t.tenant_id = v.tenant_id AND t.version_id = v.id))::bigint AS bytes
                          FROM exedra.workspace_document l
                          JOIN exedra.document o ON o.tenant_id = l.tenant_id AND o.id = l.document_id
                          JOIN exedra.document_version v ON v.tenant_id = o.tenant_id AND v.id = o.version_id
                         WHERE l.tenant_id = w.tenant_id AND l.workspace_id = w.id) d
         WHERE w.tenant_id = exedra.tenant_id() ORDER BY w.id;
END $$;
COMMENT ON FUNCTION exedra.list_workspaces(text) IS 'The workspaces of a tenant with what is in them; bytes: of their documents'' texts.';

CREATE OR REPLACE FUNCTION exedra.list_embeds(tenant text)
RETURNS TABLE (id bigint, address text, workspace text, enabled boolean, origins text[], daily_limit int, session_limit int, created_at timestamptz,
               last_chat_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    RETURN QUERY
        SELECT e.id, e.uuid::text, w.slug::text, e.enabled, e.origins, e.daily_limit, e.session_limit, e.created_at,
               (SELECT max(c.created_at) FROM exedra.chat c WHERE c.tenant_id = e.tenant_id AND c.embed_id = e.id)
          FROM exedra.embed e JOIN exedra.workspace w ON w.tenant_id = e.tenant_id AND w.id = e.workspace_id
         WHERE e.tenant_id = exedra.tenant_id() ORDER BY e.id;
END $$;
COMMENT ON FUNCTION exedra.list_embeds(text) IS 'The embeds of a tenant, and when each was last used.';

CREATE OR REPLACE FUNCTION exedra.tenant_sizes(tenant text)
RETURNS TABLE (accounts bigint, keys bigint, workspaces bigint, documents bigint, last_chat_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
BEGIN
    PERFORM exedra.work_for(owner_id, NULL, 30);
    RETURN QUERY
        SELECT (SELECT count(*) FROM exedra.account a WHERE a.tenant_id = owner_id),
               (SELECT count(*) FROM exedra.credential c WHERE c.tenant_id = owner_id AND c.kind = 'key'),
               (SELECT count(*) FROM exedra.workspace w WHERE w.tenant_id = owner_id),
               (SELECT count(*) FROM exedra.document d WHERE d.tenant_id = owner_id),
               (SELECT c.created_at FROM exedra.chat c WHERE c.tenant_id = owner_id ORDER BY c.id DESC LIMIT 1);
END $$;
COMMENT ON FUNCTION exedra.tenant_sizes(text) IS 'What a tenant has, in numbers.';

CREATE OR REPLACE FUNCTION exedra.list_usage(tenant text DEFAULT NULL, since timestamptz DEFAULT NULL)
RETURNS TABLE (tenant_name text, day date, account_id bigint, account text, workspace_id bigint, workspace text, provider text, model text,
               calls bigint, chats bigint, prompt_tokens bigint, completion_tokens bigint, estimated bigint) LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT t.id, t.name FROM exedra.every_tenant(tenant) t LOOP
        PERFORM exedra.work_for(one.id, NULL, 30);
        RETURN QUERY
            SELECT one.name, s.day, s.account_id, a.username::text, s.workspace_id, w.slug::text, s.provider, s.model, s.calls, s.chats, s.prompt, s.completion,
                   s.estimated
              FROM (SELECT (u.at AT TIME ZONE 'UTC')::date AS day, u.account_id, u.workspace_id, u.provider, u.model, count(*) AS calls,
                           count(DISTINCT u.chat_id) AS chats, sum(u.prompt_tokens)::bigint AS prompt, sum(u.completion_tokens)::bigint AS completion,
                           count(*) FILTER (WHERE u.estimated) AS estimated
                      FROM exedra.usage u WHERE u.tenant_id = exedra.tenant_id() AND (since IS NULL OR u.at >= since)
                     GROUP BY 1, 2, 3, 4, 5) s
              LEFT JOIN exedra.account a ON a.tenant_id = exedra.tenant_id() AND a.id = s.account_id
              LEFT JOIN exedra.workspace w ON w.tenant_id = exedra.tenant_id() AND w.id = s.workspace_id
             ORDER BY s.day, s.account_id, s.workspace_id, s.provider, s.model;
    END LOOP;
END $$;
COMMENT ON FUNCTION exedra.list_usage(text, timestamptz) IS 'The ledger by day (UTC), account, workspace, provider and model, of one tenant or of all, also of those that are gone; since then.  estimated: calls whose tokens are.  Raises EX404.';

CREATE OR REPLACE FUNCTION exedra.list_failures(tenant text)
RETURNS TABLE (what text, id bigint, name text, reason text, at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
BEGIN
    PERFORM exedra.work_for(owner_id, NULL, 30);
    RETURN QUERY
        SELECT 'job', j.id, j.kind, j.reason, j.changed_at FROM exedra.job j WHERE j.tenant_id = owner_id AND j.state = 'failed'
        UNION ALL
        SELECT 'file', f.id, f.name, f.reason, f.changed_at FROM exedra.file f WHERE f.tenant_id = owner_id AND f.state = 'failed'
        UNION ALL
        SELECT 'chat', c.id, w.slug::text, c.reason, c.changed_at
          FROM (SELECT * FROM exedra.chat o WHERE o.tenant_id = owner_id ORDER BY o.id DESC LIMIT 1000) c
          LEFT JOIN exedra.workspace w ON w.tenant_id = owner_id AND w.id = c.workspace_id
         WHERE c.state = 'failed'
         ORDER BY 5 DESC;
END $$;
COMMENT ON FUNCTION exedra.list_failures(text) IS 'What has failed for good: jobs, files that could not be read, and of the last thousand chats those without an answer.';

CREATE OR REPLACE FUNCTION exedra.list_open_chats(tenant text)
RETURNS TABLE (chat_id bigint, workspace text, account text, origin text, worker text, opened_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
BEGIN
    PERFORM exedra.work_for(owner_id, NULL, 30);
    RETURN QUERY
        SELECT o.chat_id, w.slug::text, a.username::text, c.origin, o.worker, o.opened_at
          FROM exedra.open_chat o JOIN exedra.chat c ON c.tenant_id = owner_id AND c.id = o.chat_id
          LEFT JOIN exedra.workspace w ON w.tenant_id = owner_id AND w.id = c.workspace_id
          LEFT JOIN exedra.account a ON a.tenant_id = owner_id AND a.id = c.account_id
         WHERE o.tenant_id = owner_id ORDER BY o.opened_at;
END $$;
COMMENT ON FUNCTION exedra.list_open_chats(text) IS 'What models are answering now.';

CREATE OR REPLACE FUNCTION exedra.list_jobs()
RETURNS TABLE (tenant text, id bigint, kind text, subject_id bigint, state text, tries int, due_at timestamptz, worker text, reason text,
               created_at timestamptz, changed_at timestamptz) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
        SELECT t.name::text, j.id, j.kind, j.subject_id, j.state::text, j.tries, j.due_at, j.worker, j.reason, j.created_at, j.changed_at
          FROM exedra.job j JOIN exedra.tenant t ON t.id = j.tenant_id ORDER BY j.id;
END $$;
COMMENT ON FUNCTION exedra.list_jobs() IS 'Work that waits, is under way or has failed.';

-- ---- the views

SELECT exedra.define_view('tenants', 'SELECT t.id, t.name, t.created_at, t.suspended_at, s.* FROM exedra.tenant t, LATERAL exedra.tenant_sizes(t.name) s',
    'Tenants, with how much each has and when it was last asked something.');
SELECT exedra.define_view(v.name, format('SELECT t.name AS tenant, l.* FROM exedra.tenant t, LATERAL exedra.%I(t.name) l', v.query), v.meaning)
  FROM (VALUES ('accounts', 'list_accounts', 'People.'),
               ('keys', 'list_keys', 'API keys: whose they are and what they may, never their text or hash.'),
               ('limits', 'list_limits', 'Limits, with what has been used of each.'),
               ('sessions', 'list_sessions', 'Who has signed in.'),
               ('workspaces', 'list_workspaces', 'Workspaces with their sizes.'),
               ('embeds', 'list_embeds', 'Embeds.'),
               ('providers', 'list_providers', 'Providers, with whether each has a key.'),
               ('embedders', 'list_embedders', 'Embedders, with how many texts each has embedded.'),
               ('settings', 'list_settings', 'Settings with what they are; secrets are masked.'),
               ('failures', 'list_failures', 'What has failed: jobs, files, chats.'),
               ('open_chats', 'list_open_chats', 'What models are answering now.')) v (name, query, meaning);
SELECT exedra.define_view('jobs', 'SELECT * FROM exedra.list_jobs()', 'Work that waits, is under way or has failed.');
SELECT exedra.define_view('usage_daily', 'SELECT tenant_name AS tenant, day, account_id, account, workspace_id, workspace, provider, model, calls, chats, prompt_tokens,
    completion_tokens, estimated FROM exedra.list_usage()', 'The ledger by day, account, workspace, provider and model; of much data list_usage() reads less.');
SELECT exedra.define_view('event_log', 'SELECT tenant_name AS tenant, id, at, event_action AS action, actor, actor_id, actor_name, credential_id, object_id, object_name,
    detail, address, request_id FROM exedra.list_events()', 'Who changed what; of much data list_events() reads less.');
