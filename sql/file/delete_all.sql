-- Delete all files of the tenant with their documents.  Returns how many.  Index: file_pkey.
-- Notes an event.
WITH gone AS (DELETE FROM exedra.file f WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.state <> 'receiving' RETURNING f.id)
SELECT count(*) AS n, CASE WHEN count(*) > 0 THEN exedra.note_event('document.delete', NULL, 'all files', json_build_object('n', count(*))) END FROM gone;
