-- Have something done soon.  $1 text: kind of job; $2 bigint: what it is about.  Returns nothing.
SELECT exedra.enqueue_job($1::text, $2::bigint);
