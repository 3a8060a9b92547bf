-- A part of the texts that were read in a file.  $1 bigint: file; $2 bigint: which, from 0.  Returns one row: the text, NULL behind the
-- last; whether another document begins with it; and which versions the texts are, the same for as long as none is replaced.
-- Indexes: document_file, document_text_pkey.
SELECT part.text, part.first,
       (SELECT coalesce(string_agg(d.version_id::text, ' ' ORDER BY d.id), '') FROM exedra.document d
         WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.file_id = $1::bigint) AS versions
  FROM (VALUES (1)) one
  LEFT JOIN LATERAL (
           SELECT t.text, t.no = 0 AS first
             FROM exedra.document d
             JOIN exedra.document_text t ON t.tenant_id = d.tenant_id AND t.version_id = d.version_id
            WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.file_id = $1::bigint
            ORDER BY d.id, t.no LIMIT 1 OFFSET $2::bigint) part ON true;
