-- Write a part of a version's text.  $1 bigint: version; $2 int: its number; $3 text: the part.  Returns nothing.
INSERT INTO exedra.document_text (tenant_id, version_id, no, text) VALUES (exedra.tenant_id(), $1::bigint, $2::int, $3::text);
