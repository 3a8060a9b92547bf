-- Begin to write a text that nobody sees yet.  Returns version and text search configuration: one row.
INSERT INTO exedra.document_version (tenant_id, language)
SELECT exedra.tenant_id(),
       coalesce((SELECT s.value FROM exedra.setting s
                  WHERE s.tenant_id = (SELECT exedra.tenant_id()) AND s.name = 'language'), 'simple')
RETURNING id AS version_id, language;
