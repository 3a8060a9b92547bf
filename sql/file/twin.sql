-- What was read in the same file, handed in before under the same name, with no metadata or the same.  $1 bytea: sha256 of its
-- bytes; $2 text: its name; $3 text: its metadata.  Returns version, uuid, name, title, author, description, source, chunk
-- source, words, tokens of each document, in their order; no row when one of them has been deleted or given another text since.
-- Indexes: file_hash, document_file.
WITH f AS (
    SELECT f.id, f.n_documents FROM exedra.file f
     WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.sha256 = $1::bytea AND f.name = $2::text AND f.state = 'done'
       AND f.meta::text IN ('{}', $3::text)
     ORDER BY f.id DESC LIMIT 1
)
SELECT d.version_id, d.uuid, d.name, d.title, d.author, d.description, d.source, d.chunk_source, d.word_count, d.token_estimate
  FROM f JOIN exedra.document d ON d.tenant_id = (SELECT exedra.tenant_id()) AND d.file_id = f.id
 WHERE f.n_documents = (SELECT count(*) FROM exedra.document o
                         WHERE o.tenant_id = (SELECT exedra.tenant_id()) AND o.file_id = f.id AND o.changed_at = o.created_at)
 ORDER BY d.id;
