-- Store what became of an open chat.  $1 bigint: chat; $2 text: state; $3 boolean: include; $4 text: answer or NULL;
-- $5 json: sources; $6 json: metrics; $7 text: reason of a failure or NULL.
-- Returns its id; one row, for exedra.resume() stands before it.  Index: chat_pkey.
UPDATE exedra.chat c
   SET state = $2::text, include = $3::boolean, answer = $4::text, sources = $5::json, metrics = $6::json, reason = $7::text,
       changed_at = now()
 WHERE c.tenant_id = (SELECT exedra.tenant_id()) AND c.id = $1::bigint
RETURNING c.id;
