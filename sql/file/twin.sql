-- What was read in the same file, handed in before under the same name.  $1 bytea: sha256 of its bytes; $2 text: its name.
-- Returns version, title, author, description, source, chunk source, words, tokens of each document, in their order, or no row.
-- Index: file_hash.
SELECT d.version_id, d.title, d.author, d.description, d.source, d.chunk_source, d.word_count, d.token_estimate
  FROM exedra.document d
 WHERE d.tenant_id = (SELECT exedra.tenant_id())
   AND d.file_id = (SELECT f.id FROM exedra.file f
                     WHERE f.tenant_id = (SELECT exedra.tenant_id()) AND f.sha256 = $1::bytea AND f.name = $2::text
                       AND f.state = 'done' ORDER BY f.id DESC LIMIT 1)
 ORDER BY d.id;
