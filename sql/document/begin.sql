-- Begin to write a text that nobody sees yet.  $1 bytea: its sha256.  Returns version, text search configuration, and what the tenant has set of
-- the size and overlap of passages, else NULL: one row.  Index: setting_pkey.
INSERT INTO exedra.document_version (tenant_id, sha256, language)
SELECT exedra.tenant_id(), $1::bytea,
       coalesce((SELECT s.value FROM exedra.setting s
                  WHERE s.tenant_id = (SELECT exedra.tenant_id()) AND s.name = 'language'), 'simple')
RETURNING id AS version_id, language,
          (SELECT s.value FROM exedra.setting s WHERE s.tenant_id = (SELECT exedra.tenant_id()) AND s.name = 'chunk_size') AS chunk_size,
          (SELECT s.value FROM exedra.setting s WHERE s.tenant_id = (SELECT exedra.tenant_id()) AND s.name = 'chunk_overlap') AS chunk_overlap;
