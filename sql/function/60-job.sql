-- Work that outlasts its request.  The table belongs to no tenant's eyes; these functions do all that is done with it.

-- Tenants take turns, however many jobs each has (start-time fair queueing): a job stands one place behind the last of its tenant's own
-- or, if there is none that waits, behind the one that was begun last.
CREATE OR REPLACE FUNCTION exedra.next_job_place(tenant bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN 1 + greatest((SELECT f.last_value FROM exedra.job_front f),
                        (SELECT max(j.place) FROM exedra.job j WHERE j.tenant_id = tenant AND j.state = 'waiting'));
END $$;
COMMENT ON FUNCTION exedra.next_job_place(bigint) IS 'The place of a tenant''s next job in the line of all.';

CREATE OR REPLACE FUNCTION exedra.place_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.place := exedra.next_job_place(NEW.tenant_id);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION exedra.place_job() IS 'Trigger: a new job gets its place in the line.';
SELECT exedra.define_trigger('job', 'place_job', 'BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION exedra.place_job()');

CREATE OR REPLACE FUNCTION exedra.enqueue_job(kind text, subject bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO exedra.job AS j (tenant_id, kind, subject_id) VALUES (exedra.tenant_id(), enqueue_job.kind, subject)
        ON CONFLICT ON CONSTRAINT job_tenant_id_kind_subject_id_key DO UPDATE
       SET state = 'waiting', tries = 0, created_at = now(), due_at = now(), place = excluded.place, worker = NULL, ticket = NULL,
           reason = NULL, changed_at = now();
END $$;
COMMENT ON FUNCTION exedra.enqueue_job(text, bigint) IS 'Have something done soon; what is being done already is done again afterwards.';

CREATE OR REPLACE FUNCTION exedra.claim_job(worker text, OUT job_id bigint, OUT tenant_id bigint, OUT kind text, OUT subject_id bigint,
                                            OUT ticket uuid, OUT tries int) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    at bigint;
    -- A worker has four hands (src/core/job.c), and a recording may be listened to for minutes: one is left for others.
    sated constant bigint[] := ARRAY(SELECT r.tenant_id FROM exedra.job r WHERE r.state = 'running' AND r.worker = claim_job.worker
                                      GROUP BY r.tenant_id HAVING count(*) >= 3);
BEGIN
    UPDATE exedra.job j
       SET state = 'running', worker = claim_job.worker, ticket = gen_random_uuid(), tries = j.tries + 1, changed_at = now()
     WHERE j.id = (SELECT n.id FROM exedra.job n JOIN exedra.tenant t ON t.id = n.tenant_id
                    WHERE n.state = 'waiting' AND n.due_at <= now() AND n.tenant_id <> ALL (sated) AND t.suspended_at IS NULL
                    ORDER BY n.place, n.id LIMIT 1 FOR UPDATE OF n SKIP LOCKED)
    RETURNING j.id, j.tenant_id, j.kind, j.subject_id, j.ticket, j.tries, j.place
      INTO job_id, tenant_id, kind, subject_id, ticket, tries, at;
    IF FOUND THEN
        PERFORM setval('exedra.job_front', greatest(at, f.last_value)) FROM exedra.job_front f;
        RETURN NEXT;
    END IF;
END $$;
COMMENT ON FUNCTION exedra.claim_job(text) IS 'Take the job that stands in front of those that are due, of a tenant three for one worker at most; no row when there is none.';

CREATE OR REPLACE FUNCTION exedra.waiting_jobs(OUT kind text, OUT n bigint) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.kind, count(*) FROM (SELECT j.kind FROM exedra.job j WHERE j.state = 'waiting' ORDER BY j.place LIMIT 100000) w GROUP BY w.kind
$$;
COMMENT ON FUNCTION exedra.waiting_jobs() IS 'How many jobs wait, by kind, among the first 100,000.';

CREATE OR REPLACE FUNCTION exedra.work_on(job bigint, ticket uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner_id bigint;
BEGIN
    SELECT j.tenant_id INTO owner_id FROM exedra.job j JOIN exedra.tenant t ON t.id = j.tenant_id
     WHERE j.id = job AND j.ticket = work_on.ticket AND j.state = 'running' AND t.suspended_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'job_gone' USING ERRCODE = 'EX410';
    END IF;
    PERFORM exedra.work_for(owner_id, NULL, 30);
    -- What is read in a file belongs to the key that handed it in.
    PERFORM set_config('exedra.key', f.key_id::text, true) FROM exedra.job j JOIN exedra.file f ON f.tenant_id = owner_id AND f.id = j.subject_id
      WHERE j.id = job AND j.kind = 'read_file';
END $$;
COMMENT ON FUNCTION exedra.work_on(bigint, uuid) IS 'Begin a transaction for the worker that took a job; EX410 when it is not its job any more.';

-- again_s 0: what failed was the server's own and passes.  Such a try is not counted, and each pause is longer than the last, up to
-- five minutes: half as long as the job has been there.
CREATE OR REPLACE FUNCTION exedra.end_job(job bigint, ticket uuid, reason text, again_s int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF end_job.reason IS NULL THEN
        DELETE FROM exedra.job j WHERE j.id = job AND j.ticket = end_job.ticket;
    ELSE
        UPDATE exedra.job j
           SET state = CASE WHEN again_s IS NULL THEN 'failed' ELSE 'waiting' END::exedra.job_state, worker = NULL, ticket = NULL,
               tries = CASE WHEN again_s = 0 THEN j.tries - 1 ELSE j.tries END,
               place = CASE WHEN again_s IS NULL THEN j.place ELSE exedra.next_job_place(j.tenant_id) END,
               due_at = now() + CASE WHEN again_s = 0 THEN least(greatest((now() - j.created_at) / 2, interval '5 s'), interval '5 min')
                                     ELSE make_interval(secs => coalesce(again_s, 0)) END,
               reason = end_job.reason, changed_at = now()
         WHERE j.id = job AND j.ticket = end_job.ticket;
    END IF;
END $$;
COMMENT ON FUNCTION exedra.end_job(bigint, uuid, text, int) IS 'A job is done (no reason), is to be tried again in so many seconds, or has failed (no seconds).';
