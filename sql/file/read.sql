-- A part of a file's bytes.  $1 bigint: file; $2 int: its number, from 0.  Returns bytes, or no row behind the last.
-- Index: file_part_pkey.
SELECT p.bytes FROM exedra.file_part p
 WHERE p.tenant_id = (SELECT exedra.tenant_id()) AND p.file_id = $1::bigint AND p.no = $2::int;
