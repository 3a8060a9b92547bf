-- A file that is to be read.  $1 bigint: file.  Returns uuid, name, content type, metadata, state, size, or no
-- row.  Index: file_pkey.
SELECT f.uuid, f.name, f.content_type, f.meta, f.state, f.size
  FROM exedra.file f WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.id = $1::bigint;
