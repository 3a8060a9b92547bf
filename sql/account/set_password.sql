-- Give the caller's account another password.  $1 text: hashed.  Returns nothing.  Index: account_pkey.
-- Notes an event.
UPDATE exedra.account a SET password = $1::text, changed_at = now()
 WHERE a.tenant_id = (SELECT exedra.tenant_id()) AND a.id = (SELECT exedra.account_id())
RETURNING exedra.note_event('account.password', a.id, a.username);
