-- Take the next job.  $1 text: this worker.  Returns job_id, tenant_id, kind, subject_id, ticket, tries, or no row.  Run without a tenant.
-- Index: job_place.
SELECT job_id, tenant_id, kind, subject_id, ticket, tries FROM exedra.claim_job($1::text);
