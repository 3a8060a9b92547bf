-- A part of a file's bytes.  $1 bigint: file; $2 int: its number, from 0; $3 bytea: at most 256 kB.  Returns nothing.
INSERT INTO exedra.file_part (tenant_id, file_id, no, bytes) VALUES (exedra.tenant_id(), $1::bigint, $2::int, $3::bytea);
