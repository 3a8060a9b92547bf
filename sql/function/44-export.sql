-- A tenant as lines of text, and back: what exedractl export and import are made of.  Which tables and columns there are is
-- asked of the catalogue, so that none can be forgotten.  Bytes stand in base64; JSON that was stored as it came stands in a
-- string, so that it comes back as it was.  No line names a tenant: rows belong to the one that is being imported.

CREATE OR REPLACE FUNCTION exedra.unexported_tables() RETURNS TABLE (name text, reason text) LANGUAGE sql IMMUTABLE AS $$
    VALUES ('embed_address', 'made from embed'),
           ('embedding_code', 'made by a trigger of embedded'),
           ('open_chat', 'who is answering now: elsewhere nobody is'),
           ('quota_hold', 'what requests under way have taken of limits')
$$;
COMMENT ON FUNCTION exedra.unexported_tables() IS 'Tables with rows of tenants that an export leaves out, and why.';

CREATE OR REPLACE FUNCTION exedra.is_exported(table_name text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM pg_catalog.pg_class c
                     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
                    WHERE c.relnamespace = 'exedra'::regnamespace AND c.relname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition)
       AND $1 NOT IN (SELECT u.name FROM exedra.unexported_tables() u)
$$;
COMMENT ON FUNCTION exedra.is_exported(text) IS 'Whether an export has lines of this table.';

CREATE OR REPLACE FUNCTION exedra.exported_tables() RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE
    todo text[] := ARRAY(SELECT c.relname::text FROM pg_catalog.pg_class c
                          WHERE c.relnamespace = 'exedra'::regnamespace AND exedra.is_exported(c.relname::text));
    next text;
BEGIN
    WHILE cardinality(todo) > 0 LOOP
        -- A trigger looks at what is there already, and the directory is shared with all: both come late.
        SELECT c.relname INTO next FROM pg_catalog.pg_class c
         WHERE c.relnamespace = 'exedra'::regnamespace AND c.relname = ANY (todo)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class r ON r.oid = k.confrelid
                            WHERE k.contype = 'f' AND k.conrelid = c.oid AND r.oid <> c.oid AND r.relname = ANY (todo))
         ORDER BY NOT c.relrowsecurity,
                  EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgtype & 4 <> 0),
                  c.relname
         LIMIT 1;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'These tables refer to each other in a ring: %.', array_to_string(todo, ', ');
        END IF;
        RETURN NEXT next;
        todo := array_remove(todo, next);
    END LOOP;
END $$;
COMMENT ON FUNCTION exedra.exported_tables() IS 'Every table with rows of tenants, but for unexported_tables(); what others refer to comes before them.';

CREATE OR REPLACE FUNCTION exedra.exported_columns(table_name text)
RETURNS TABLE (name text, type text, written text, sequence regclass) LANGUAGE sql STABLE AS $$
    SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
           CASE a.atttypid WHEN 'bytea'::regtype THEN 'base64' WHEN 'json'::regtype THEN 'text' WHEN 'jsonb'::regtype THEN 'text' ELSE 'json' END,
           (SELECT s.oid::regclass FROM pg_catalog.pg_class s
             WHERE s.relkind = 'S'
               AND EXISTS (SELECT FROM pg_catalog.pg_depend d
                            WHERE (d.classid, d.objid, d.refclassid, d.refobjid, d.refobjsubid, d.deptype)
                                = ('pg_class'::regclass, s.oid, 'pg_class'::regclass, a.attrelid, a.attnum, 'i')
                               OR (d.classid, d.refclassid, d.refobjid) = ('pg_attrdef'::regclass, 'pg_class'::regclass, s.oid)
                              AND d.objid = (SELECT f.oid FROM pg_catalog.pg_attrdef f WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum)))
      FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = format('exedra.%I', $1)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
       AND a.attname <> 'tenant_id'
     ORDER BY a.attnum
$$;
COMMENT ON FUNCTION exedra.exported_columns(text) IS 'The columns of an exported table: name, type, how a line has it (json: as JSON has it, text, base64), and the sequence that its numbers are taken from.';

-- ---- out

CREATE OR REPLACE FUNCTION exedra.line_query(table_name text, condition text, order_by text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('SELECT %L || row_to_json(x)::text || ''}'' FROM (SELECT %s FROM exedra.%I t WHERE %s ORDER BY %s) x',
                  '{' || to_json($1)::text || ':',
                  string_agg(format(CASE c.written WHEN 'base64' THEN 'replace(encode(t.%1$I, ''base64''), E''\n'', '''') AS %1$I'
                                                   WHEN 'text' THEN 't.%1$I::text AS %1$I' ELSE 't.%1$I' END, c.name), ', '),
                  $1, $2, $3)
      FROM exedra.exported_columns($1) WITH ORDINALITY c
$$;
COMMENT ON FUNCTION exedra.line_query(text, text, text) IS 'The query that makes lines of a table''s rows.';

CREATE OR REPLACE FUNCTION exedra.transfer_session() RETURNS void LANGUAGE sql AS $$
    SELECT set_config(s.name, s.value, true)
      FROM (VALUES ('TimeZone', 'UTC'), ('extra_float_digits', '1'), ('statement_timeout', '0'), ('lock_timeout', '0'),
                   ('idle_in_transaction_session_timeout', '0')) s (name, value)
$$;
COMMENT ON FUNCTION exedra.transfer_session() IS 'Settings for the rest of an export''s or import''s transaction, whatever the role has otherwise.';

CREATE OR REPLACE FUNCTION exedra.begin_export(tenant text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    id constant bigint := exedra.find_tenant(tenant);
BEGIN
    PERFORM exedra.transfer_session(), exedra.work_for(id, NULL, 30);
    RETURN NEXT format('{"format":"exedra-tenant","version":1,"schema":%s,"tenant":%s,"exported_at":"%s"}',
                       (SELECT v.version FROM exedra.schema_version v), to_json(tenant), exedra.iso(now()));
    RETURN QUERY EXECUTE exedra.line_query('tenant', 't.id = $1', 't.id') USING id;
END $$;
COMMENT ON FUNCTION exedra.begin_export(text) IS 'The first two lines of an export.  The rest of the transaction, which should be REPEATABLE READ, works for the tenant.';

CREATE OR REPLACE FUNCTION exedra.open_export(table_name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    rows refcursor := 'exported';
    key text;
BEGIN
    SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY array_position(x.indkey::int2[], a.attnum)) INTO key
      FROM pg_catalog.pg_index x JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey)
     WHERE x.indrelid = format('exedra.%I', table_name)::regclass AND x.indisprimary;
    -- An import has all texts looked through anyway.
    OPEN rows FOR EXECUTE exedra.line_query(table_name, 't.tenant_id = $1' || CASE table_name WHEN 'job' THEN ' AND t.kind <> ''embed_check''' ELSE '' END, key)
        USING exedra.tenant_id();
END $$;
COMMENT ON FUNCTION exedra.open_export(text) IS 'Begin with a table of the transaction''s tenant, in the order of its key; next_exported() gives the lines.';

CREATE OR REPLACE FUNCTION exedra.next_exported(bytes bigint) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    rows refcursor := 'exported';
    line text;
    had bigint := 0;
BEGIN
    WHILE had < bytes LOOP
        FETCH rows INTO line;
        EXIT WHEN NOT FOUND;
        RETURN NEXT line;
        had := had + octet_length(line);
    END LOOP;
    IF had = 0 THEN
        CLOSE rows;
    END IF;
END $$;
COMMENT ON FUNCTION exedra.next_exported(bigint) IS 'Lines of the table that open_export() has begun, of about so many bytes; none: it is at its end.';

CREATE OR REPLACE FUNCTION exedra.end_export() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM exedra.note_event('tenant.export', t.id, t.name) FROM exedra.tenant t WHERE t.id = exedra.tenant_id();
END $$;
COMMENT ON FUNCTION exedra.end_export() IS 'All tables have been read: that is an event, which the export itself does not have.';

-- ---- in

CREATE OR REPLACE FUNCTION exedra.is_server_wide(table_name text, column_name text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM pg_catalog.pg_index x JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attname = $2
                    WHERE x.indrelid = format('exedra.%I', $1)::regclass AND x.indisunique AND x.indkey::text = a.attnum::text)
$$;
COMMENT ON FUNCTION exedra.is_server_wide(text, text) IS 'Whether a column''s values are those of one row of all tenants.';

CREATE OR REPLACE FUNCTION exedra.import_query(table_name text) RETURNS text LANGUAGE sql STABLE AS $$
    -- Numbers are a tenant's own and kept; only of a table whose numbers are the server's (its jobs) are taken ones replaced.  What is
    -- found without knowing the tenant, by its hash, is left out where another tenant has it.
    SELECT format('INSERT INTO exedra.%I (%s%s) OVERRIDING SYSTEM VALUE SELECT %s%s
                     FROM unnest($1) WITH ORDINALITY l (line, no), json_to_record(l.line::json) r (%s) ORDER BY l.no%s',
                  $1, CASE WHEN $1 <> 'tenant' THEN 'tenant_id, ' END, string_agg(format('%I', c.name), ', '),
                  CASE WHEN $1 <> 'tenant' THEN '$2, ' END,
                  string_agg(CASE WHEN c.sequence IS NOT NULL AND exedra.is_server_wide($1, c.name)
                                  THEN format('CASE WHEN EXISTS (SELECT FROM exedra.%1$I x WHERE x.%2$I = r.%2$I) THEN nextval(%3$L) ELSE r.%2$I END',
                                              $1, c.name, c.sequence)
                                  WHEN c.written = 'base64' THEN format('decode(r.%I, ''base64'')', c.name)
                                  ELSE format('r.%I::%s', c.name, c.type) END, ', '),
                  string_agg(format('%I %s', c.name, CASE c.written WHEN 'json' THEN c.type ELSE 'text' END), ', '),
                  CASE WHEN NOT t.relrowsecurity AND $1 <> 'tenant' THEN ' ON CONFLICT DO NOTHING' END)
      FROM exedra.exported_columns($1) WITH ORDINALITY c, pg_catalog.pg_class t
     WHERE t.oid = format('exedra.%I', $1)::regclass
     GROUP BY t.oid, t.relrowsecurity
$$;
COMMENT ON FUNCTION exedra.import_query(text) IS 'The statement that stores lines, $1, as rows of a table, for the tenant $2.';

CREATE OR REPLACE FUNCTION exedra.check_columns(table_name text, rows text[]) RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
    columns constant text[] := ARRAY(SELECT c.name FROM exedra.exported_columns(table_name) c ORDER BY c.name COLLATE "C");
    odd text[];
BEGIN
    SELECT k.keys INTO odd
      FROM unnest(rows) l, LATERAL (SELECT array_agg(k ORDER BY k COLLATE "C") AS keys FROM json_object_keys(l::json) k) k
     WHERE k.keys IS DISTINCT FROM columns LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'The columns of % are %, not %.', table_name, array_to_string(columns, ', '),
            coalesce(left(array_to_string(odd, ', '), 1000), 'none') USING ERRCODE = 'EX422';
    END IF;
END $$;
COMMENT ON FUNCTION exedra.check_columns(text, text[]) IS 'Raise EX422 unless each line has all columns of a table and no others.';

CREATE OR REPLACE FUNCTION exedra.pass_numbers(sequence regclass, lowest bigint, highest bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s pg_catalog.pg_sequence;
    reach constant bigint := 1::bigint << 40;
    step constant bigint := 100000;
    last bigint;
    past bigint;
BEGIN
    SELECT q.* INTO s FROM pg_catalog.pg_sequence q WHERE q.seqrelid = sequence;
    EXECUTE format('SELECT CASE WHEN is_called THEN last_value ELSE last_value - %s END FROM %s', s.seqincrement, sequence) INTO last;
    past := CASE WHEN s.seqincrement > 0 THEN highest - last ELSE last - lowest END;
    -- One number near the end of a sequence, and no tenant of this server could store anything any more.
    IF lowest < s.seqmin OR highest > s.seqmax OR past > reach THEN
        RAISE EXCEPTION 'The number % is out of range.', CASE WHEN s.seqincrement > 0 AND lowest >= s.seqmin OR highest > s.seqmax THEN highest ELSE lowest END
            USING ERRCODE = 'EX422';
    END IF;
    -- Others take numbers meanwhile, so a sequence must not be set back: a short way is walked, a long one leapt with room to spare.
    IF past > step THEN
        PERFORM setval(sequence, last + sign(s.seqincrement)::bigint * (past + step));
    ELSIF past > 0 THEN
        PERFORM nextval(sequence) FROM generate_series(1, past);
    END IF;
END $$;
COMMENT ON FUNCTION exedra.pass_numbers(regclass, bigint, bigint) IS 'Let a sequence give none of the numbers between these any more; raises EX422 for such as no tenant can have.';

CREATE OR REPLACE FUNCTION exedra.pass_rows(table_name text, rows text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    c record;
    lowest bigint;
    highest bigint;
BEGIN
    FOR c IN SELECT * FROM exedra.exported_columns(table_name) x WHERE x.sequence IS NOT NULL LOOP
        SELECT min((l::json ->> c.name)::bigint), max((l::json ->> c.name)::bigint) INTO lowest, highest FROM unnest(rows) l;
        PERFORM exedra.pass_numbers(c.sequence, lowest, highest);
    END LOOP;
END $$;
COMMENT ON FUNCTION exedra.pass_rows(text, text[]) IS 'Let the sequences of a table pass the numbers of these lines.';

CREATE OR REPLACE FUNCTION exedra.import_rows(table_name text, first_line bigint, rows text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    IF NOT exedra.is_exported(table_name) THEN
        RAISE EXCEPTION 'There is no table "%" in an export.', table_name USING ERRCODE = 'EX422';
    END IF;
    PERFORM exedra.check_columns(table_name, rows), exedra.pass_rows(table_name, rows);
    IF table_name = 'setting' THEN
        PERFORM exedra.check_setting(l::json ->> 'name', l::json ->> 'value') FROM unnest(rows) l;
    END IF;
    EXECUTE exedra.import_query(table_name) USING rows, exedra.tenant_id();
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
EXCEPTION WHEN OTHERS THEN
    IF cardinality(rows) = 1 THEN
        RAISE EXCEPTION 'Line %: %', first_line, SQLERRM USING ERRCODE = SQLSTATE;
    END IF;
    -- Which of them was it?
    FOR i IN 1 .. cardinality(rows) LOOP
        PERFORM exedra.import_rows(table_name, first_line + i - 1, rows[i:i]);
    END LOOP;
    RAISE EXCEPTION 'Lines % to %: %', first_line, first_line + cardinality(rows) - 1, SQLERRM USING ERRCODE = SQLSTATE;
END $$;
COMMENT ON FUNCTION exedra.import_rows(text, bigint, text[]) IS 'Store lines of a table for the transaction''s tenant; how many: of directory tables those are left out whose hash is taken.  Raises with the number of the line that is wrong.';

CREATE OR REPLACE FUNCTION exedra.begin_import(header text, tenant_row text, name text, OUT id bigint, OUT id_there bigint) LANGUAGE plpgsql AS $$
DECLARE
    head constant json := header::json;
    own constant text := (SELECT v.version FROM exedra.schema_version v);
    one text := tenant_row;
BEGIN
    IF head ->> 'format' IS DISTINCT FROM 'exedra-tenant' OR head ->> 'version' IS DISTINCT FROM '1' THEN
        RAISE EXCEPTION 'Line 1: The format is % %; this program reads exedra-tenant 1.',
            coalesce(head ->> 'format', 'none'), coalesce(head ->> 'version', '') USING ERRCODE = 'EX422';
    ELSIF head ->> 'schema' IS DISTINCT FROM own THEN
        RAISE EXCEPTION 'Line 1: The file has schema version %, the database %: export and import with the same release.',
            coalesce(head ->> 'schema', 'none'), own USING ERRCODE = 'EX422';
    END IF;
    BEGIN
        PERFORM exedra.transfer_session(), exedra.check_columns('tenant', ARRAY[one]);
        id_there := (one::json ->> 'id')::bigint;
        id := id_there;
        -- Of one that was deleted there may be rows left.
        IF EXISTS (SELECT FROM exedra.tenant t WHERE t.id = id_there UNION ALL SELECT FROM exedra.former_tenant f WHERE f.id = id_there) THEN
            id := nextval(pg_get_serial_sequence('exedra.tenant', 'id'));
        END IF;
        one := (one::jsonb || jsonb_build_object('id', id, 'name', coalesce(begin_import.name, one::json ->> 'name')))::text;
        PERFORM exedra.pass_rows('tenant', ARRAY[one]);
        EXECUTE exedra.import_query('tenant') USING ARRAY[one];
    EXCEPTION
        WHEN unique_violation THEN
            RAISE EXCEPTION 'There is a tenant named "%" already; --tenant gives another name.', one::json ->> 'name' USING ERRCODE = 'EX409';
        WHEN check_violation THEN
            RAISE EXCEPTION '%A tenant''s name is 1 to 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first: "%" is not.',
                CASE WHEN begin_import.name IS NULL THEN 'Line 2: ' ELSE '' END, one::json ->> 'name' USING ERRCODE = 'EX422';
        WHEN OTHERS THEN
            RAISE EXCEPTION 'Line 2: %', SQLERRM USING ERRCODE = SQLSTATE;
    END;
    PERFORM exedra.work_for(id, NULL, 30);
END $$;
COMMENT ON FUNCTION exedra.begin_import(text, text, text) IS 'Make the tenant of an export''s first two lines, under another name if one is given.  The rest of the transaction works for it.  Its id, and the one that it had.';

CREATE OR REPLACE FUNCTION exedra.end_import() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    fresh text;
    e record;
BEGIN
    -- Who was at work on these is elsewhere.
    UPDATE exedra.chat c SET state = CASE WHEN c.answer IS NULL THEN 'failed' ELSE 'stopped' END::exedra.chat_state, reason = 'worker_died', changed_at = now()
     WHERE c.tenant_id = tenant AND c.state = 'open';
    UPDATE exedra.job j SET state = 'waiting', worker = NULL, ticket = NULL WHERE j.tenant_id = tenant AND j.state = 'running';
    UPDATE exedra.quota_used q SET held = 0 WHERE q.tenant_id = tenant AND q.held <> 0;
    -- A search relies on this.
    PERFORM FROM exedra.segment_part p,
           LATERAL (SELECT count(*) AS n, min(w.bucket) AS first, max(w.bucket) AS last
                      FROM exedra.word w WHERE w.tenant_id = tenant AND w.segment_id = p.segment_id) w
     WHERE p.tenant_id = tenant
       AND (p.no < 0 OR p.first < 0 OR octet_length(p.lengths) / 2 > 65536 - p.first OR p.n_buckets & (p.n_buckets - 1) <> 0
            OR w.n <> p.n_buckets OR w.first IS DISTINCT FROM 0 OR w.last <> p.n_buckets - 1);
    IF FOUND THEN
        RAISE EXCEPTION 'The words of some segment are not whole.' USING ERRCODE = 'EX422';
    END IF;
    INSERT INTO exedra.embed_address (uuid, tenant_id, embed_id) SELECT m.uuid, m.tenant_id, m.id FROM exedra.embed m WHERE m.tenant_id = tenant
        ON CONFLICT DO NOTHING;
    FOR e IN SELECT m.id, m.uuid FROM exedra.embed m
              WHERE m.tenant_id = tenant AND NOT EXISTS (SELECT FROM exedra.embed_address a WHERE a.uuid = m.uuid AND a.tenant_id = tenant) LOOP
        fresh := gen_random_uuid();
        UPDATE exedra.embed m SET uuid = fresh WHERE m.tenant_id = tenant AND m.id = e.id;
        INSERT INTO exedra.embed_address (uuid, tenant_id, embed_id) VALUES (fresh, tenant, e.id);
        RETURN NEXT format('The embed %s is another tenant''s here; this one''s is %s, and pages must say so.', e.uuid, fresh);
    END LOOP;
    -- This server may have another embedder.
    INSERT INTO exedra.job (tenant_id, kind, subject_id) VALUES (tenant, 'embed_check', 0) ON CONFLICT DO NOTHING;
    PERFORM exedra.note_event('tenant.import', tenant, (SELECT t.name FROM exedra.tenant t WHERE t.id = tenant));
END $$;
COMMENT ON FUNCTION exedra.end_import() IS 'What is to be done when all lines are in; sentences for who imports.';

CREATE OR REPLACE FUNCTION exedra.sealed_secrets() RETURNS TABLE (kind text, name text, belongs_to text, sealed text) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
        SELECT 'provider', p.name::text, p.name || ' ' || p.url, encode(p.sealed_key, 'hex')
          FROM exedra.provider p WHERE p.tenant_id = exedra.tenant_id() AND p.sealed_key IS NOT NULL
        UNION ALL
        SELECT 'setting', s.name::text, s.name::text, s.value
          FROM exedra.setting s JOIN exedra.known_settings() k ON k.name = s.name AND k.kind = 'sealed'
         WHERE s.tenant_id = exedra.tenant_id() AND s.value <> ''
         ORDER BY 1, 2;
END $$;
COMMENT ON FUNCTION exedra.sealed_secrets() IS 'What the transaction''s tenant has sealed: where, under which name, what its seal is bound to beside the tenant''s id, in hexadecimal.';

CREATE OR REPLACE FUNCTION exedra.put_sealed(kind text, name text, sealed text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF kind = 'provider' THEN
        UPDATE exedra.provider p SET sealed_key = decode(sealed, 'hex') WHERE p.tenant_id = exedra.tenant_id() AND p.name = put_sealed.name;
    ELSE
        UPDATE exedra.setting s SET value = sealed WHERE s.tenant_id = exedra.tenant_id() AND s.name = put_sealed.name;
    END IF;
END $$;
COMMENT ON FUNCTION exedra.put_sealed(text, text, text) IS 'Put another seal in the place of one of sealed_secrets().';
