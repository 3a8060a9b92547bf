-- Events.  $1 text: tenant, or NULL for all; $2 text: a time from which on, as PostgreSQL reads it, or NULL; $3 text: action or NULL.
-- Returns when, tenant, action, who (account, key, operator ...), who it is, object, its id, detail, address, request.
SELECT exedra.iso(e.at), e.tenant_name, e.event_action, e.actor, nullif(regexp_replace(e.actor_name, '[[:cntrl:]]', ' ', 'g'), ''),
       nullif(regexp_replace(e.object_name, '[[:cntrl:]]', ' ', 'g'), ''), e.object_id, e.detail, e.address, e.request_id
  FROM exedra.list_events($1::text, $2::timestamptz, $3::text) e ORDER BY e.at, e.tenant_name, e.id;
