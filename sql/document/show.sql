-- One document by its file name, in whichever folder.  $1 text: file name.  Returns JSON, or no row.  Index: document_name.
SELECT exedra.json_file(d, EXISTS (SELECT FROM exedra.workspace_document l
                                    WHERE l.tenant_id = d.tenant_id AND l.document_id = d.id))
  FROM exedra.document d
 WHERE d.tenant_id = (SELECT exedra.tenant_id()) AND d.name = $1::text
 ORDER BY d.folder LIMIT 1;
