-- Documents that models are always shown, whole.  $1 bigint: workspace; $2 int: how many characters there is room for.
-- Returns in the order in which they were put in: the document, title, the source (JSON), and the beginning of the text; '' when those
-- before it have surely used up the room.  LIMIT 1 makes each a look-up.
-- Indexes: workspace_document_tenant_id_workspace_id_document_id_key, document_pkey, document_text_pkey.
SELECT (w.d).id AS document_id, (w.d).title, exedra.json_pinned(w.d, left(t.text, 1000)) AS source,
       CASE WHEN w.before < $2::int THEN left(t.text, $2::int) ELSE '' END AS text
  FROM (SELECT x.d, l.id AS place,
               4 * coalesce(sum((x.d).token_estimate) OVER (ORDER BY l.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
          FROM exedra.workspace_document l,
               LATERAL (SELECT d FROM exedra.document d
                         WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = l.document_id LIMIT 1) x
         WHERE l.tenant_id = (SELECT exedra.tenant_id()) AND l.workspace_id = $1::bigint AND l.pinned) w,
       LATERAL (SELECT coalesce(string_agg(t.text, '' ORDER BY t.no), '') AS text FROM exedra.document_text t
                 WHERE t.tenant_id = (SELECT exedra.tenant_id()) AND t.version_id = (w.d).version_id
                   -- parts have 256 kB, but for the characters that would have been cut
                   AND t.no <= CASE WHEN w.before < $2::int THEN $2::int / 262000 ELSE 0 END) t
 ORDER BY w.place;
