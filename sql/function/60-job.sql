-- Work that outlasts its request.  The table belongs to no tenant's eyes; these functions do all that is done with it.

CREATE OR REPLACE FUNCTION exedra.enqueue_job(kind text, subject bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO exedra.job AS j (tenant_id, kind, subject_id) VALUES (exedra.tenant_id(), enqueue_job.kind, subject)
        ON CONFLICT ON CONSTRAINT job_tenant_id_kind_subject_id_key DO UPDATE
       SET state = 'waiting', tries = 0, created_at = now(), due_at = now(), worker = NULL, ticket = NULL, reason = NULL, changed_at = now();
END $$;
COMMENT ON FUNCTION exedra.enqueue_job(text, bigint) IS 'Have something done soon; what is being done already is done again afterwards.';

CREATE OR REPLACE FUNCTION exedra.claim_job(worker text, OUT job_id bigint, OUT tenant_id bigint, OUT kind text, OUT subject_id bigint,
                                            OUT ticket uuid, OUT tries int) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        UPDATE exedra.job j
           SET state = 'running', worker = claim_job.worker, ticket = gen_random_uuid(), tries = j.tries + 1, changed_at = now()
         WHERE j.id = (SELECT n.id FROM exedra.job n JOIN exedra.tenant t ON t.id = n.tenant_id
                        WHERE n.state = 'waiting' AND n.due_at <= now() AND t.suspended_at IS NULL
                        ORDER BY n.due_at, n.id LIMIT 1 FOR UPDATE OF n SKIP LOCKED)
        RETURNING j.id, j.tenant_id, j.kind, j.subject_id, j.ticket, j.tries;
END $$;
COMMENT ON FUNCTION exedra.claim_job(text) IS 'Take the job that has been due the longest; no row when there is none.';

CREATE OR REPLACE FUNCTION exedra.waiting_jobs(OUT kind text, OUT n bigint) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.kind, count(*) FROM (SELECT j.kind FROM exedra.job j WHERE j.state = 'waiting' ORDER BY j.due_at LIMIT 100000) w GROUP BY w.kind
$$;
COMMENT ON FUNCTION exedra.waiting_jobs() IS 'How many jobs wait, by kind, among the 100,000 that are due first.';

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
               due_at = now() + CASE WHEN again_s = 0 THEN least(greatest((now() - j.created_at) / 2, interval '5 s'), interval '5 min')
                                     ELSE make_interval(secs => coalesce(again_s, 0)) END,
               reason = end_job.reason, changed_at = now()
         WHERE j.id = job AND j.ticket = end_job.ticket;
    END IF;
END $$;
COMMENT ON FUNCTION exedra.end_job(bigint, uuid, text, int) IS 'A job is done (no reason), is to be tried again in so many seconds, or has failed (no seconds).';
