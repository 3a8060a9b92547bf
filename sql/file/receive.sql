-- All bytes of a file have come.  $1 bigint: file; $2 bigint: how many; $3 bytea: their sha256; $4 text: the state it has now.
-- Returns nothing.  Index: file_pkey.
UPDATE exedra.file f SET size = $2::bigint, sha256 = $3::bytea, state = $4::text::exedra.file_state, changed_at = now()
 WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.id = $1::bigint;
