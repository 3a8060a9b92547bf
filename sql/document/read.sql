-- A part of a version's text.  $1 bigint: version; $2 int: its number, from 0.  Returns the text, or no row behind the last.
-- Index: document_text_pkey.
SELECT t.text FROM exedra.document_text t
 WHERE t.tenant_id = (SELECT exedra.tenant_id()) AND t.version_id = $1::bigint AND t.no = $2::int;
