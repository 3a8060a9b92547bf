-- Begin to write a text that nobody sees yet.  $1 bytea: its sha256.  Returns version and text search configuration: one row.
INSERT INTO exedra.document_version (tenant_id, sha256, language)
SELECT exedra.tenant_id(), $1::bytea,
       coalesce((SELECT s.value FROM exedra.setting s
                  WHERE s.tenant_id = (SELECT exedra.tenant_id()) AND s.name = 'language'), 'simple')
RETURNING id AS version_id, language;
