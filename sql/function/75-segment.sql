-- Segments of words.  Each version brings its own; small ones are merged by and by, or a search would have to look into each.

CREATE OR REPLACE FUNCTION exedra.tend_segments(language text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    oldest bigint;
    n bigint;
    total bigint;
BEGIN
    SELECT min(s.id), count(*) INTO oldest, n
      FROM (SELECT s.id FROM exedra.segment s
             WHERE s.tenant_id = tenant AND s.language = tend_segments.language AND s.n_chunks < 32 ORDER BY s.id LIMIT 32) s;
    IF n = 32 THEN
        PERFORM exedra.enqueue_later('merge_words', ARRAY[oldest], 0, false);
    END IF;
    SELECT min(s.id), count(*), sum(s.n_chunks) INTO oldest, n, total
      FROM (SELECT s.id, s.n_chunks FROM exedra.segment s
             WHERE s.tenant_id = tenant AND s.language = tend_segments.language AND s.n_chunks >= 32 AND s.n_chunks < 512
             ORDER BY s.id LIMIT 32) s;
    IF n = 32 OR total >= 1024 THEN
        PERFORM exedra.enqueue_later('merge_words', ARRAY[oldest], 0, false);
    END IF;
END $$;
COMMENT ON FUNCTION exedra.tend_segments(text) IS 'Have the small segments of a language merged when there are many: 32 with less than 32 passages, or 32 (or 1,024 passages) with less than 512.';

CREATE OR REPLACE FUNCTION exedra.replace_segments(old bigint[], language text, n_chunks int, buckets bytea[],
                                                   versions bigint[], nos int[], firsts int[]) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    tenant constant bigint := exedra.tenant_id();
    new_id bigint;
    found int;
BEGIN
    PERFORM FROM exedra.segment s WHERE s.tenant_id = tenant AND s.id = ANY (old) ORDER BY s.id FOR UPDATE;
    GET DIAGNOSTICS found = ROW_COUNT;
    IF found <> cardinality(old) THEN
        RETURN false;
    END IF;
    INSERT INTO exedra.segment (tenant_id, language, n_chunks) VALUES (tenant, replace_segments.language, replace_segments.n_chunks)
    RETURNING id INTO new_id;
    INSERT INTO exedra.word (tenant_id, segment_id, bucket, lexemes)
    SELECT tenant, new_id, b.no - 1, b.lexemes FROM unnest(buckets) WITH ORDINALITY b (lexemes, no);
    -- A part that has gone meanwhile leaves its words behind in the new segment, where nobody finds them.
    UPDATE exedra.segment_part p SET segment_id = new_id, first = u.first, n_buckets = cardinality(buckets)
      FROM unnest(versions, nos, firsts) u (version_id, no, first)
     WHERE p.tenant_id = tenant AND p.version_id = u.version_id AND p.no = u.no AND p.segment_id = ANY (old);
    DELETE FROM exedra.segment s WHERE s.tenant_id = tenant AND s.id = ANY (old);
    PERFORM exedra.tend_segments(replace_segments.language);
    RETURN true;
END $$;
COMMENT ON FUNCTION exedra.replace_segments(bigint[], text, int, bytea[], bigint[], int[], int[]) IS 'Put one segment in the place of several; false when some of them have gone meanwhile.';

CREATE OR REPLACE FUNCTION exedra.drop_segment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_over bigint;
BEGIN
    SELECT sum(octet_length(p.lengths) / 2) INTO left_over
      FROM exedra.segment_part p WHERE p.tenant_id = OLD.tenant_id AND p.segment_id = OLD.segment_id;
    IF left_over IS NULL THEN
        DELETE FROM exedra.segment s WHERE s.tenant_id = OLD.tenant_id AND s.id = OLD.segment_id;
    ELSIF EXISTS (SELECT FROM exedra.segment s
                   WHERE s.tenant_id = exedra.tenant_id() AND s.id = OLD.segment_id AND s.n_chunks > 2 * left_over) THEN
        PERFORM exedra.enqueue_later('merge_words', ARRAY[OLD.segment_id], 0, false);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION exedra.drop_segment() IS 'Trigger: delete a segment that has lost its last passage, and have one merged that has lost more than half.';
SELECT exedra.define_trigger('segment_part', 'drop_segment', 'AFTER DELETE ON %s FOR EACH ROW EXECUTE FUNCTION exedra.drop_segment()');

-- The codes of vectors are searched where they stand side by side; a row each would take five times as long.

CREATE OR REPLACE FUNCTION exedra.pack_codes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO exedra.embedding_code (tenant_id, embedder_id, version_id, no, codes)
    SELECT NEW.tenant_id, NEW.embedder_id, NEW.version_id, min(k.no), string_agg(substr(varbit_send(e.code), 5), '' ORDER BY k.no)
      FROM exedra.chunk k
      JOIN exedra.embedding e ON e.tenant_id = k.tenant_id AND e.embedder_id = NEW.embedder_id AND e.version_id = k.version_id AND e.chunk_id = k.id
     WHERE k.tenant_id = NEW.tenant_id AND k.version_id = NEW.version_id
     GROUP BY k.no / 256;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION exedra.pack_codes() IS 'Trigger: put the codes of a version that has all its vectors side by side.';
SELECT exedra.define_trigger('embedded', 'pack_codes', 'AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION exedra.pack_codes()');
