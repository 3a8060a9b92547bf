-- The shapes of Open WebUI's API.  A file's text stands in the middle of its object and may be long: the text before it and
-- the text behind it are made here, what is between them is sent part by part.

CREATE OR REPLACE FUNCTION exedra.json_owner(account bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT '"' || coalesce(account::text, '') || '"' $$;
COMMENT ON FUNCTION exedra.json_owner(bigint) IS 'user_id: an account''s id as a string; empty for a tenant''s own key.';

CREATE OR REPLACE FUNCTION exedra.file_status(state exedra.file_state) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE state WHEN 'done' THEN 'completed' WHEN 'failed' THEN 'failed' ELSE 'pending' END $$;
COMMENT ON FUNCTION exedra.file_status(exedra.file_state) IS 'How far the reading of a file is, in Open WebUI''s words.';

SELECT exedra.define_type('file_meta_json', '"name" text, "content_type" text, "size" bigint, "data" json, "collection_name" text');

CREATE OR REPLACE FUNCTION exedra.json_file_meta(f exedra.file, collection text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT row_to_json(ROW(f.name, f.content_type, f.size, f.meta, collection)::exedra.file_meta_json)::text $$;
COMMENT ON FUNCTION exedra.json_file_meta(exedra.file, text) IS 'meta of a file.';

CREATE OR REPLACE FUNCTION exedra.file_hash(f exedra.file) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '"' || encode(CASE f.n_documents WHEN 1 THEN (
        SELECT v.sha256 FROM exedra.document d JOIN exedra.document_version v ON v.tenant_id = d.tenant_id AND v.id = d.version_id
         WHERE d.tenant_id = f.tenant_id AND d.file_id = f.id LIMIT 1) ELSE f.sha256 END, 'hex') || '"'
     WHERE f.state = 'done'
$$;
COMMENT ON FUNCTION exedra.file_hash(exedra.file) IS 'sha256 of the text that was read in a file, or of its bytes where it holds several; NULL before that.';

CREATE OR REPLACE FUNCTION exedra.file_head(f exedra.file) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '{"id":"' || f.uuid || '","user_id":' || exedra.json_owner(f.account_id) || ',"hash":'
        || coalesce(exedra.file_hash(f), 'null')
        || ',"filename":' || to_json(f.name) || ',"path":' || to_json(f.uuid || '_' || f.name) || ',"data":{'
        || CASE f.state WHEN 'stored' THEN '' ELSE '"status":"' || exedra.file_status(f.state) || '"' END
        || CASE f.state WHEN 'failed' THEN ',"error":' || to_json(coalesce(f.reason, '')) ELSE '' END
$$;
COMMENT ON FUNCTION exedra.file_head(exedra.file) IS 'A file''s object up to where the text stands in its data.';

CREATE OR REPLACE FUNCTION exedra.file_collection(f exedra.file) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT w.slug FROM exedra.workspace_file p JOIN exedra.workspace w ON w.tenant_id = p.tenant_id AND w.id = p.workspace_id
          WHERE p.tenant_id = f.tenant_id AND p.file_id = f.id ORDER BY p.created_at DESC LIMIT 1),
        (SELECT w.slug FROM exedra.document d
           JOIN exedra.workspace_document l ON l.tenant_id = d.tenant_id AND l.document_id = d.id
           JOIN exedra.workspace w ON w.tenant_id = l.tenant_id AND w.id = l.workspace_id
          WHERE d.tenant_id = f.tenant_id AND d.file_id = f.id ORDER BY l.id DESC LIMIT 1),
        'file-' || f.uuid)
$$;
COMMENT ON FUNCTION exedra.file_collection(exedra.file) IS 'The collection that a file was put into last, or is to be once it has been read; else its own, file- and its id.';

CREATE OR REPLACE FUNCTION exedra.file_tail(f exedra.file, collection text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '},"meta":' || exedra.json_file_meta(f, collection) || ',"created_at":' || exedra.epoch(f.created_at)
        || ',"updated_at":' || exedra.epoch(f.changed_at)
$$;
COMMENT ON FUNCTION exedra.file_tail(exedra.file, text) IS 'A file''s object from behind its text, without the closing brace.';

CREATE OR REPLACE FUNCTION exedra.json_knowledge(w exedra.workspace, files text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '{"id":' || to_json(w.slug) || ',"user_id":"","name":' || to_json(w.name) || ',"description":' || to_json(w.description)
        || ',"meta":null,"access_grants":[],"created_at":' || exedra.epoch(w.created_at) || ',"updated_at":' || exedra.epoch(w.changed_at)
        || ',"files":' || files || ',"write_access":' || exedra.is_manager() || '}'
$$;
COMMENT ON FUNCTION exedra.json_knowledge(exedra.workspace, text) IS 'A workspace as a collection of files.';

CREATE OR REPLACE FUNCTION exedra.workspace_files(tenant bigint, workspace bigint) RETURNS TABLE (file_id bigint, pending boolean)
LANGUAGE sql STABLE AS $$
    SELECT m.id, bool_and(m.waits) FROM (
        SELECT d.file_id AS id, false AS waits FROM exedra.workspace_document l
          JOIN exedra.document d ON d.tenant_id = l.tenant_id AND d.id = l.document_id
         WHERE l.tenant_id = tenant AND l.workspace_id = workspace
        UNION ALL
        SELECT p.file_id, true FROM exedra.workspace_file p WHERE p.tenant_id = tenant AND p.workspace_id = workspace) m
     GROUP BY m.id
$$;
COMMENT ON FUNCTION exedra.workspace_files(bigint, bigint) IS 'The files of a workspace: those its documents were read in, and those it waits for.';

SELECT exedra.define_type('origin_json', '"name" text, "source" text, "title" text, "file_id" uuid, "created_by" text, "hash" text');

CREATE OR REPLACE FUNCTION exedra.json_origin(d exedra.document, f exedra.file) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(f.name, f.name, d.title, f.uuid, coalesce(f.account_id::text, ''), (
        SELECT encode(v.sha256, 'hex') FROM exedra.document_version v WHERE v.tenant_id = d.tenant_id AND v.id = d.version_id
        ))::exedra.origin_json)::text
$$;
COMMENT ON FUNCTION exedra.json_origin(exedra.document, exedra.file) IS 'Metadata of a passage.';
