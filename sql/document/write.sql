-- Write parts of a version's text.  $1 bigint: version; $2 int: number of the first; $3 text[]: parts, in order.
-- Returns nothing.
INSERT INTO exedra.document_text (tenant_id, version_id, no, text)
SELECT exedra.tenant_id(), $1::bigint, $2::int + p.no - 1, p.text
  FROM unnest($3::text[]) WITH ORDINALITY p (text, no);
