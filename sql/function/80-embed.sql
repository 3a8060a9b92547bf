-- Which embedder makes the vectors of whose documents, and what is to be done when that changes.  The server's embedder
-- stands in the workers' settings: they say it with every call, as provider, model and the dimension asked for (0: the model's
-- own); NULL where there is none.

SELECT exedra.define_type('embedder_setup', '
    embedder_id bigint, dimension int, provider text, model text, asked int,
    known boolean, kind text, url text, sealed_key text');

CREATE OR REPLACE FUNCTION exedra.find_embedder(INOUT s exedra.embedder_setup, server_provider text) LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- `known`: it can be called.  url NULL: the server's, whose address and key stand in the settings.
    SELECT true, p.kind, p.url, encode(p.sealed_key, 'hex') INTO s.known, s.kind, s.url, s.sealed_key
      FROM exedra.provider p WHERE p.tenant_id = (SELECT exedra.tenant_id()) AND p.name = s.provider;
    s.known := coalesce(s.known, s.provider = server_provider, false);
    SELECT e.id, e.dimension INTO s.embedder_id, s.dimension FROM exedra.embedder e
     WHERE e.tenant_id = (SELECT exedra.tenant_id()) AND e.provider = s.provider AND e.model = s.model AND e.asked = s.asked;
END $$;
COMMENT ON FUNCTION exedra.find_embedder(exedra.embedder_setup, text) IS 'Fill in how an embedder is reached, and its row if there is one: by provider, model and dimension asked for.';

CREATE OR REPLACE FUNCTION exedra.choose_embedder(workspace bigint, server_provider text, server_model text, server_asked int)
RETURNS exedra.embedder_setup LANGUAGE plpgsql STABLE AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    room_provider text;
    room_model text;
    own_provider text;
    own_model text;
    own_asked int;
    s exedra.embedder_setup;
BEGIN
    IF workspace <> 0 THEN
        SELECT w.embedding_provider, w.embedding_model INTO room_provider, room_model
          FROM exedra.workspace w WHERE w.tenant_id = tenant AND w.id = workspace;
    END IF;
    SELECT max(t.value) FILTER (WHERE t.name = 'embedding_provider'), max(t.value) FILTER (WHERE t.name = 'embedding_model'),
           max(substring(t.value FROM '^[0-9]{1,4}$')) FILTER (WHERE t.name = 'embedding_dimensions')
      INTO own_provider, own_model, own_asked
      FROM exedra.setting t
     WHERE t.tenant_id = tenant AND t.name IN ('embedding_provider', 'embedding_model', 'embedding_dimensions');
    own_provider := coalesce(own_provider, server_provider);
    s.provider := coalesce(room_provider, own_provider);
    IF s.provider = 'none' THEN
        s.provider := NULL;
    END IF;
    IF s.provider IS NULL THEN
        RETURN s;
    END IF;
    -- A model belongs to the provider beside which it is named.
    s.model := coalesce(room_model, CASE WHEN s.provider = own_provider THEN own_model END,
                        CASE WHEN s.provider = server_provider THEN server_model END, '');
    s.asked := coalesce(CASE WHEN s.provider = own_provider AND s.model IS NOT DISTINCT FROM own_model THEN own_asked END,
                        CASE WHEN s.provider = server_provider AND s.model = server_model THEN server_asked END, 0);
    RETURN exedra.find_embedder(s, server_provider);
END $$;
COMMENT ON FUNCTION exedra.choose_embedder(bigint, text, text, int) IS 'The embedder that is wanted for a workspace (0: for the tenant): what the workspace names, else the tenant, else the server; provider NULL where there is none.';

CREATE OR REPLACE FUNCTION exedra.wanted_embedder(workspace bigint, server_provider text, server_model text, server_asked int)
RETURNS exedra.embedder_setup LANGUAGE plpgsql AS $$
DECLARE
    s exedra.embedder_setup := exedra.choose_embedder(workspace, server_provider, server_model, server_asked);
BEGIN
    IF s.known AND s.embedder_id IS NULL THEN
        INSERT INTO exedra.embedder (tenant_id, provider, model, asked) VALUES (exedra.tenant_id(), s.provider, s.model, s.asked)
            ON CONFLICT DO NOTHING;
        s := exedra.find_embedder(s, server_provider);
    END IF;
    RETURN s;
END $$;
COMMENT ON FUNCTION exedra.wanted_embedder(bigint, text, text, int) IS 'As choose_embedder(); one that is used for the first time gets its row.';

CREATE OR REPLACE FUNCTION exedra.serving_embedder(workspaces bigint[], files bigint[], server_provider text, server_model text, server_asked int)
RETURNS exedra.embedder_setup LANGUAGE plpgsql STABLE AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    room constant bigint := CASE WHEN cardinality(workspaces) = 1 AND cardinality(files) = 0 THEN workspaces[1] ELSE 0 END;
    wanted exedra.embedder_setup := exedra.choose_embedder(room, server_provider, server_model, server_asked);
    s exedra.embedder_setup;
BEGIN
    -- The usual case: the tenant's vectors are all by the one that is wanted.
    IF wanted.known AND wanted.dimension IS NOT NULL AND NOT EXISTS (
        SELECT FROM exedra.embedder e WHERE e.tenant_id = tenant AND e.id <> wanted.embedder_id AND e.dimension IS NOT NULL) THEN
        RETURN wanted;
    END IF;
    -- OFFSET 0 and LIMIT 1 make each join a look-up, whatever the planner believes of the sizes.
    SELECT e.provider, e.model, e.asked INTO s.provider, s.model, s.asked
      FROM (SELECT b.embedder_id AS id, count(*) AS n
              FROM (SELECT l.document_id AS id FROM exedra.workspace_document l
                     WHERE l.tenant_id = tenant AND l.workspace_id = ANY (workspaces)
                    UNION
                    SELECT f.id FROM exedra.document f WHERE f.tenant_id = tenant AND f.file_id = ANY (files)) l,
                   LATERAL (SELECT d.version_id FROM exedra.document d WHERE d.tenant_id = tenant AND d.id = l.id LIMIT 1) d,
                   LATERAL (SELECT b.embedder_id FROM exedra.embedded b
                             WHERE b.tenant_id = tenant AND b.version_id = d.version_id OFFSET 0) b
             GROUP BY b.embedder_id) c
      JOIN exedra.embedder e ON e.tenant_id = tenant AND e.id = c.id
     WHERE e.dimension IS NOT NULL
       AND (e.provider = server_provider OR EXISTS (SELECT FROM exedra.provider p WHERE p.tenant_id = tenant AND p.name = e.provider))
       -- Where there is to be none, nobody is sent a question, whatever vectors there are.
       AND (wanted.provider IS NOT NULL OR EXISTS (
            SELECT FROM exedra.workspace w WHERE w.tenant_id = tenant AND w.id = ANY (workspaces) AND w.embedding_provider = e.provider))
     ORDER BY c.n DESC, e.id = wanted.embedder_id DESC NULLS LAST, e.id DESC LIMIT 1;
    IF s.provider IS NOT NULL THEN
        s := exedra.find_embedder(s, server_provider);
    END IF;
    RETURN s;
END $$;
COMMENT ON FUNCTION exedra.serving_embedder(bigint[], bigint[], text, text, int) IS 'The embedder whose vectors a search compares: of those that can be asked the one that covers most documents of these workspaces and files, so that after a change the old one serves until the new one is there.';

-- ---- a version and its vectors

CREATE OR REPLACE FUNCTION exedra.complete_embedding(version bigint, embedder bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
BEGIN
    -- The lock is for drop_embedding(): neither may see what the other has half done.
    PERFORM FROM exedra.document_version v WHERE v.tenant_id = tenant AND v.id = version FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- Counted: a passage has at most one vector of an embedder.
    IF (SELECT count(*) FROM exedra.chunk k WHERE k.tenant_id = tenant AND k.version_id = version)
       > (SELECT count(*) FROM exedra.embedding e WHERE e.tenant_id = tenant AND e.embedder_id = embedder AND e.version_id = version) THEN
        RETURN false;
    END IF;
    INSERT INTO exedra.embedded (tenant_id, version_id, embedder_id) VALUES (tenant, version, embedder) ON CONFLICT DO NOTHING;
    RETURN true;
END $$;
COMMENT ON FUNCTION exedra.complete_embedding(bigint, bigint) IS 'Mark a version as embedded when each of its passages has its vector: whether that is so, NULL when there is no such version.';

CREATE OR REPLACE FUNCTION exedra.drop_embedding(version bigint, embedder bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    gone bigint := 0;
BEGIN
    PERFORM FROM exedra.document_version v WHERE v.tenant_id = tenant AND v.id = version FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT FROM exedra.embedded b WHERE b.tenant_id = tenant AND b.version_id = version AND b.embedder_id = embedder) THEN
        DELETE FROM exedra.embedding e WHERE e.tenant_id = tenant AND e.embedder_id = embedder AND e.version_id = version;
        GET DIAGNOSTICS gone = ROW_COUNT;
    END IF;
    RETURN gone;
END $$;
COMMENT ON FUNCTION exedra.drop_embedding(bigint, bigint) IS 'Delete the vectors of a version that did not become complete; how many.';

-- ---- after a change

CREATE OR REPLACE FUNCTION exedra.unembedded(after bigint, server_provider text, server_model text, server_asked int, most int)
RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    usual constant exedra.embedder_setup := exedra.choose_embedder(0, server_provider, server_model, server_asked);
    rooms bigint[];
    embedders bigint[];
    in_rooms bigint[];
    in_none bigint[];
BEGIN
    SELECT array_agg(w.id), array_agg(e.embedder_id) INTO rooms, embedders
      FROM exedra.workspace w,
           LATERAL (SELECT usual.embedder_id, usual.known WHERE w.embedding_provider IS NULL AND w.embedding_model IS NULL
                    UNION ALL
                    SELECT c.embedder_id, c.known FROM exedra.choose_embedder(w.id, server_provider, server_model, server_asked) c
                     WHERE w.embedding_provider IS NOT NULL OR w.embedding_model IS NOT NULL) e
     WHERE w.tenant_id = tenant AND e.known;
    in_rooms := ARRAY(
        SELECT DISTINCT d.version_id
          FROM exedra.document d,
               LATERAL (SELECT l.id FROM exedra.workspace_document l
                         WHERE l.tenant_id = tenant AND l.document_id = d.id AND l.workspace_id = ANY (rooms)
                           AND (SELECT b.version_id FROM exedra.embedded b
                                 WHERE b.tenant_id = tenant AND b.version_id = d.version_id
                                   AND b.embedder_id = embedders[array_position(rooms, l.workspace_id)] LIMIT 1) IS NULL
                         LIMIT 1) l
         WHERE d.tenant_id = tenant AND d.version_id > after ORDER BY d.version_id LIMIT most);
    IF usual.known THEN
        in_none := ARRAY(
            SELECT DISTINCT b.version_id FROM exedra.embedded b
             WHERE b.tenant_id = tenant AND b.version_id > after
               AND (SELECT n.version_id FROM exedra.embedded n
                     WHERE n.tenant_id = tenant AND n.version_id = b.version_id AND n.embedder_id = usual.embedder_id LIMIT 1) IS NULL
               AND (SELECT d.id FROM exedra.document d,
                           LATERAL (SELECT l.id FROM exedra.workspace_document l WHERE l.tenant_id = tenant AND l.document_id = d.id LIMIT 1) l
                     WHERE d.tenant_id = tenant AND d.version_id = b.version_id LIMIT 1) IS NULL
             ORDER BY b.version_id LIMIT most);
    END IF;
    RETURN ARRAY(SELECT DISTINCT u FROM unnest(in_rooms || in_none) u ORDER BY u LIMIT most);
END $$;
COMMENT ON FUNCTION exedra.unembedded(bigint, text, text, int, int) IS 'Versions, after this one, that lack vectors of an embedder that is wanted for them: in a workspace by its embedder; those that are in none, but have vectors, by the tenant''s.';

CREATE OR REPLACE FUNCTION exedra.enqueue_later(what text, subjects bigint[], seconds double precision, anew boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO exedra.job AS j (tenant_id, kind, subject_id, due_at)
    SELECT exedra.tenant_id(), what, u, now() + make_interval(secs => seconds) FROM unnest(subjects) u
        ON CONFLICT (tenant_id, kind, subject_id) DO UPDATE
       SET state = 'waiting', tries = 0, due_at = excluded.due_at, place = excluded.place, worker = NULL, ticket = NULL, reason = NULL, changed_at = now()
     WHERE anew OR (j.state = 'failed' AND j.changed_at < now() - interval '1 hour');
END $$;
COMMENT ON FUNCTION exedra.enqueue_later(text, bigint[], double precision, boolean) IS 'Have things done in so many seconds; unless `anew`, what is under way or has failed within the hour is left alone.';

CREATE OR REPLACE FUNCTION exedra.count_jobs(what text) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT count(*) FROM exedra.job j
             WHERE j.tenant_id = exedra.tenant_id() AND j.kind = what AND j.state <> 'failed');
END $$;
COMMENT ON FUNCTION exedra.count_jobs(text) IS 'How many jobs of a kind the tenant has that have not failed.';

CREATE OR REPLACE FUNCTION exedra.check_embeddings(after bigint, server_provider text, server_model text, server_asked int)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    at_once constant int := 16;         -- so that others' jobs do not wait behind a long row of these
    busy constant bigint := exedra.count_jobs('embed_version');
    found bigint[];
BEGIN
    IF busy < at_once THEN
        found := exedra.unembedded(after, server_provider, server_model, server_asked, at_once);
        IF found <> '{}' THEN
            PERFORM exedra.enqueue_later('embed_version', found, 0, false),
                    exedra.enqueue_later('embed_check', found[cardinality(found):], 0, true);
            RETURN false;
        END IF;
    END IF;
    IF busy > 0 THEN
        PERFORM exedra.enqueue_later('embed_check', ARRAY[after], 1, true);
        RETURN false;
    END IF;
    IF after > 0 AND exedra.unembedded(0, server_provider, server_model, server_asked, 1) <> '{}' THEN
        -- What is left has failed; it is looked at again from time to time.
        PERFORM exedra.enqueue_later('embed_check', ARRAY[0], 600, false);
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION exedra.check_embeddings(bigint, text, text, int) IS 'Have vectors made that are wanted and not there, a few at a time, and look again later; true when none are missing but those that could not be made.';

CREATE OR REPLACE FUNCTION exedra.sweep_embeddings(server_provider text, server_model text, server_asked int, most int) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    missing constant bigint[] := exedra.unembedded(0, server_provider, server_model, server_asked, 2147483647);
    -- Read before what is wanted: each statement sees what is there by then, and one that has just been made is wanted.
    known constant bigint[] := ARRAY(SELECT e.id FROM exedra.embedder e WHERE e.tenant_id = tenant);
    wanted bigint[];
    old bigint;
    at_version bigint;
    gone bigint := 0;
BEGIN
    SELECT array_agg(DISTINCT e.embedder_id) FILTER (WHERE e.embedder_id IS NOT NULL) INTO wanted
      FROM (SELECT 0::bigint AS id
            UNION ALL
            SELECT w.id FROM exedra.workspace w
             WHERE w.tenant_id = tenant AND (w.embedding_provider IS NOT NULL OR w.embedding_model IS NOT NULL)) w,
           LATERAL exedra.choose_embedder(w.id, server_provider, server_model, server_asked) e;
    FOR old IN SELECT k FROM unnest(known) k WHERE k <> ALL (wanted) LOOP
        -- A set goes when another one has taken its place.  What could not be made anew keeps what it has, and so does what nobody wants
        -- vectors for any more: that may be by mistake.
        -- One text after the other, each under its lock: somebody may want this very embedder again and be about to complete it.
        FOR at_version IN
            SELECT d.version_id FROM exedra.embedded d
             WHERE d.tenant_id = tenant AND d.embedder_id = old AND NOT EXISTS (SELECT FROM unnest(missing) m WHERE m = d.version_id)
               AND (SELECT n.version_id FROM exedra.embedded n
                     WHERE n.tenant_id = tenant AND n.version_id = d.version_id AND n.embedder_id = ANY (wanted) LIMIT 1) IS NOT NULL
        LOOP
            DELETE FROM exedra.embedded b WHERE b.tenant_id = tenant AND b.version_id = at_version AND b.embedder_id = old;
            gone := gone + 1 + exedra.drop_embedding(at_version, old);
            IF gone >= most THEN
                RETURN true;
            END IF;
        END LOOP;
        -- What never became complete.
        FOR at_version IN SELECT DISTINCT e.version_id FROM exedra.embedding e WHERE e.tenant_id = tenant AND e.embedder_id = old LOOP
            gone := gone + exedra.drop_embedding(at_version, old);
            IF gone >= most THEN
                RETURN true;
            END IF;
        END LOOP;
        DELETE FROM exedra.embedder e
         WHERE e.tenant_id = tenant AND e.id = old
           AND NOT EXISTS (SELECT FROM exedra.embedded b WHERE b.tenant_id = tenant AND b.embedder_id = old)
           AND NOT EXISTS (SELECT FROM exedra.embedding x WHERE x.tenant_id = tenant AND x.embedder_id = old);
    END LOOP;
    RETURN gone > 0;
END $$;
COMMENT ON FUNCTION exedra.sweep_embeddings(text, text, int, int) IS 'Delete some of the vectors of an embedder that is wanted nowhere any more, then the embedder; whether there may be more.  Call it when check_embeddings() is true.';

CREATE OR REPLACE FUNCTION exedra.embedder_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'setting' AND coalesce(NEW.name, OLD.name) NOT LIKE 'embedding%' THEN
        RETURN NULL;
    END IF;
    INSERT INTO exedra.job AS j (tenant_id, kind, subject_id)
    SELECT t.id, 'embed_check', 0 FROM exedra.tenant t WHERE t.id = coalesce(NEW.tenant_id, OLD.tenant_id)
        ON CONFLICT (tenant_id, kind, subject_id) DO UPDATE
       SET state = 'waiting', tries = 0, due_at = now(), place = excluded.place, worker = NULL, ticket = NULL, reason = NULL, changed_at = now();
    RETURN NULL;
END $$;
COMMENT ON FUNCTION exedra.embedder_changed() IS 'Trigger: have a tenant''s documents looked through when another embedder may be wanted for them.';
SELECT exedra.define_trigger('setting', 'embedder_changed', 'AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION exedra.embedder_changed()');
SELECT exedra.define_trigger('provider', 'embedder_changed', 'AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION exedra.embedder_changed()');
SELECT exedra.define_trigger('workspace', 'embedder_changed', 'AFTER UPDATE OF embedding_provider, embedding_model ON %s FOR EACH ROW
    WHEN (OLD.embedding_provider IS DISTINCT FROM NEW.embedding_provider OR OLD.embedding_model IS DISTINCT FROM NEW.embedding_model)
    EXECUTE FUNCTION exedra.embedder_changed()');

CREATE OR REPLACE FUNCTION exedra.note_embedder(provider text, model text, asked int) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE exedra.server_embedder s
       SET provider = note_embedder.provider, model = note_embedder.model, asked = note_embedder.asked, changed_at = now()
     WHERE s.one AND (s.provider IS DISTINCT FROM note_embedder.provider OR s.model IS DISTINCT FROM note_embedder.model
                      OR s.asked IS DISTINCT FROM note_embedder.asked);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF note_embedder.provider IS NOT NULL THEN
        INSERT INTO exedra.job AS j (tenant_id, kind, subject_id, due_at)
        SELECT t.id, 'embed_check', 0, now() + make_interval(secs => 0.02 * row_number() OVER (ORDER BY t.id)) FROM exedra.tenant t
            ON CONFLICT (tenant_id, kind, subject_id) DO UPDATE
           SET state = 'waiting', tries = 0, due_at = excluded.due_at, place = excluded.place, worker = NULL, ticket = NULL, reason = NULL, changed_at = now();
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION exedra.note_embedder(text, text, int) IS 'A worker starts with this embedder in its settings: when it is another than before, all tenants are looked through, a little one after the other.';

-- ---- what an administrator does

CREATE OR REPLACE FUNCTION exedra.set_embedder(tenant text, provider text, model text, dimensions int, workspace text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
BEGIN
    PERFORM exedra.work_for(owner_id, NULL, 30);
    IF provider = '' OR dimensions NOT BETWEEN 1 AND 8192 OR (workspace IS NOT NULL AND dimensions IS NOT NULL) THEN
        RAISE EXCEPTION 'An embedder needs a provider; dimensions are from 1 to 8192, and not for one workspace.' USING ERRCODE = 'EX422';
    END IF;
    IF workspace IS NOT NULL THEN
        UPDATE exedra.workspace w SET embedding_provider = provider, embedding_model = model
         WHERE w.tenant_id = owner_id AND w.slug = workspace;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'Tenant "%" has no workspace "%".', tenant, workspace USING ERRCODE = 'EX404';
        END IF;
    ELSE
        PERFORM exedra.store_settings(jsonb_build_object('embedding_provider', provider, 'embedding_model', model,
                                                         'embedding_dimensions', dimensions::text));
    END IF;
    PERFORM exedra.note_event('embedder.set', NULL, workspace, json_build_object('provider', provider, 'model', model, 'dimensions', dimensions));
END $$;
COMMENT ON FUNCTION exedra.set_embedder(text, text, text, int, text) IS 'Name the embedder of a tenant, or of one workspace: a provider of the tenant''s or the server''s, or none.  Documents get their new vectors in the background.';

CREATE OR REPLACE FUNCTION exedra.unset_embedder(tenant text, workspace text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    owner_id bigint := exedra.find_tenant(tenant);
BEGIN
    PERFORM exedra.work_for(owner_id, NULL, 30);
    IF workspace IS NULL THEN
        PERFORM exedra.store_settings('{"embedding_provider":null,"embedding_model":null,"embedding_dimensions":null}');
    ELSE
        UPDATE exedra.workspace w SET embedding_provider = NULL, embedding_model = NULL WHERE w.tenant_id = owner_id AND w.slug = workspace;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'Tenant "%" has no workspace "%".', tenant, workspace USING ERRCODE = 'EX404';
        END IF;
    END IF;
    PERFORM exedra.note_event('embedder.set', NULL, workspace);
END $$;
COMMENT ON FUNCTION exedra.unset_embedder(text, text) IS 'Take back what set_embedder() said of a tenant, or of one workspace: the server''s, or the tenant''s, holds again.';

CREATE OR REPLACE FUNCTION exedra.list_embedders(tenant text)
RETURNS TABLE (provider text, model text, asked int, dimension int, versions bigint, created_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.work_for(exedra.find_tenant(tenant), NULL, 30);
    RETURN QUERY
        SELECT e.provider::text, e.model::text, e.asked, e.dimension,
               (SELECT count(*) FROM exedra.embedded b WHERE b.tenant_id = e.tenant_id AND b.embedder_id = e.id), e.created_at
          FROM exedra.embedder e WHERE e.tenant_id = exedra.tenant_id() ORDER BY e.id;
END $$;
COMMENT ON FUNCTION exedra.list_embedders(text) IS 'The embedders whose vectors a tenant has, with how many texts each has embedded.';
