-- Sign out.  $1 bytea: sha256 of the session's text.  Returns nothing.  Index: credential_pkey.
-- Notes an event.
SELECT exedra.close_session($1::bytea);
