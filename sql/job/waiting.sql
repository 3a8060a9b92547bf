-- How many jobs wait, for the metrics.  Returns kind, n; a row for each kind of which there are any.  Run without a tenant.  Index: job_place.
SELECT kind, n FROM exedra.waiting_jobs();
