-- What became of a job.  $1 bigint: job; $2 uuid: ticket; $3 text: why it could not be done, or NULL; $4 int: seconds until it is to be
-- tried again, 0 when the try does not count and the function is to choose the pause, or NULL.  Returns nothing.  Run without a tenant.  Index: job_pkey.
SELECT exedra.end_job($1::bigint, $2::uuid, $3::text, $4::int);
