-- Delete all files of the tenant with their documents.  Returns how many.  Index: file_pkey.
WITH gone AS (DELETE FROM exedra.file f WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.state <> 'receiving' RETURNING f.id)
SELECT count(*) AS n FROM gone;
