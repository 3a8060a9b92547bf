-- Note when keys were last used: about now.  $1 bytea[]: their sha256.  Index: credential_pkey.  Run without a tenant.
SELECT exedra.note_uses($1::bytea[]);
