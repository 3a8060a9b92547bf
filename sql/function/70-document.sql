-- A version belongs to the documents that show it, and goes with the last of them.

CREATE OR REPLACE FUNCTION exedra.drop_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Locked, then looked: of two who take the last two documents at the same moment the second sees what the first did, and who is
    -- just giving the version another document is waited for.
    PERFORM FROM exedra.document_version v WHERE v.tenant_id = OLD.tenant_id AND v.id = OLD.version_id FOR UPDATE;
    DELETE FROM exedra.document_version v
     WHERE v.tenant_id = OLD.tenant_id AND v.id = OLD.version_id
       AND NOT EXISTS (SELECT FROM exedra.document d WHERE d.tenant_id = v.tenant_id AND d.version_id = v.id);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION exedra.drop_version() IS 'Trigger: delete a version that no document shows any more.';
SELECT exedra.define_trigger('document', 'drop_version', 'AFTER DELETE ON %s FOR EACH ROW EXECUTE FUNCTION exedra.drop_version()');
SELECT exedra.define_trigger('document', 'drop_old_version', 'AFTER UPDATE OF version_id ON %s FOR EACH ROW
    WHEN (OLD.version_id <> NEW.version_id) EXECUTE FUNCTION exedra.drop_version()');

CREATE OR REPLACE FUNCTION exedra.drop_file() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM exedra.file f WHERE f.tenant_id = OLD.tenant_id AND f.id = OLD.file_id FOR UPDATE;
    DELETE FROM exedra.file f
     WHERE f.tenant_id = OLD.tenant_id AND f.id = OLD.file_id AND f.state = 'done'
       AND NOT EXISTS (SELECT FROM exedra.document d WHERE d.tenant_id = f.tenant_id AND d.file_id = f.id);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION exedra.drop_file() IS 'Trigger: delete a file that has been read and of which no document is left.';
SELECT exedra.define_trigger('document', 'drop_file', 'AFTER DELETE ON %s FOR EACH ROW EXECUTE FUNCTION exedra.drop_file()');
SELECT exedra.define_trigger('document', 'drop_old_file', 'AFTER UPDATE OF file_id ON %s FOR EACH ROW
    WHEN (OLD.file_id <> NEW.file_id) EXECUTE FUNCTION exedra.drop_file()');

CREATE OR REPLACE FUNCTION exedra.sweep_documents(older_s int) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t bigint;
    n bigint;
    total bigint := 0;
BEGIN
    FOR t IN SELECT id FROM exedra.tenant LOOP
        PERFORM exedra.work_for(t, NULL, 30);
        DELETE FROM exedra.document_version v
         WHERE v.tenant_id = t AND v.n_chunks IS NULL AND v.created_at < now() - make_interval(secs => older_s);
        GET DIAGNOSTICS n = ROW_COUNT;
        total := total + n;
        DELETE FROM exedra.file f
         WHERE f.tenant_id = t AND f.state = 'receiving' AND f.created_at < now() - make_interval(secs => older_s);
        GET DIAGNOSTICS n = ROW_COUNT;
        total := total + n;
    END LOOP;
    RETURN total;
END $$;
COMMENT ON FUNCTION exedra.sweep_documents(int) IS 'Delete what was begun so many seconds ago and never came to its end: texts half written, files half received.';
