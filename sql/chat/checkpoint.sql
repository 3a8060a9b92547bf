-- Keep what has come of an answer so far.  $1 bigint: chat; $2 text: the text.  Returns nothing.  Index: chat_pkey.
UPDATE exedra.chat c SET answer = $2::text, changed_at = now()
 WHERE c.tenant_id = (SELECT exedra.tenant_id()) AND c.id = $1::bigint;
