-- Begin a transaction for a job that this worker has taken.  $1 bigint: job; $2 uuid: ticket.  One row; raises EX410.
-- Index: job_pkey.
SELECT exedra.work_on($1::bigint, $2::uuid);
