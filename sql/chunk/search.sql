-- The passages of a workspace that fit a question best, by BM25 over the words of all passages in scope.
-- $1 bigint: workspace; $2 text: the question, prepared by words_prepare(); $3 int: how many at most.
-- A word that stands in more than half of at least 20 passages counts as a stop word under the configuration `simple`,
-- which has no list of its own.  k1 = 1.2, b = 0.75 (Robertson and Zaragoza 2009, section 3.2).
-- Returns source (JSON), title, text, the text under its header, score in 0..1, best first.
-- Indexes: workspace_document_tenant_id_workspace_id_document_id_key, chunk_tenant_id_version_id_no_key.
WITH scope AS MATERIALIZED (
    SELECT d.id AS document_id, v.language, k.id, k.words, k.length
      FROM exedra.workspace_document l
      JOIN exedra.document d ON (d.tenant_id, d.id) = (l.tenant_id, l.document_id)
      JOIN exedra.document_version v ON (v.tenant_id, v.id) = (d.tenant_id, d.version_id)
      JOIN exedra.chunk k ON (k.tenant_id, k.version_id) = (d.tenant_id, d.version_id)
     WHERE l.tenant_id = (SELECT exedra.tenant_id()) AND l.workspace_id = $1::bigint
), question AS MATERIALIZED (
    SELECT s.language, tsvector_to_array(v.words) AS lexemes,
           (SELECT array_to_string(array_agg(quote_literal(e)), '|')::tsquery FROM unnest(tsvector_to_array(v.words)) e) AS any_of
      FROM (SELECT DISTINCT language FROM scope) s,
           LATERAL (SELECT strip(to_tsvector(s.language::regconfig, left($2::text, 16384))) AS words) v
), size AS (
    SELECT count(*)::float8 AS n, greatest(avg(length), 1)::float8 AS mean FROM scope
), hit AS MATERIALIZED (
    SELECT s.id, s.document_id, s.language, s.length, u.lexeme, cardinality(u.positions) AS n
      FROM scope s JOIN question q USING (language), unnest(s.words) u
     WHERE s.words @@ q.any_of AND u.lexeme = ANY (q.lexemes)
), weight AS (
    SELECT h.lexeme, ln(1 + (z.n - count(*) + 0.5) / (count(*) + 0.5)) AS idf
      FROM hit h, size z GROUP BY h.lexeme, z.n
    HAVING NOT (z.n >= 20 AND count(*) > z.n / 2 AND bool_or(h.language = 'simple'))
), best AS (
    SELECT h.id, h.document_id, sum(g.idf * h.n * 2.2 / (h.n + 1.2 * (0.25 + 0.75 * h.length / z.mean))) AS score
      FROM hit h JOIN weight g USING (lexeme), size z
     GROUP BY h.id, h.document_id ORDER BY score DESC, h.id LIMIT $3::int
)
SELECT exedra.json_source(d, k.uuid, k.text, b.score / (b.score + 5)) AS source, d.title, k.text, exedra.chunk_text(d, k.text) AS cited, b.score / (b.score + 5) AS score
  FROM best b
  JOIN exedra.chunk k ON k.tenant_id = (SELECT exedra.tenant_id()) AND k.id = b.id
  JOIN exedra.document d ON d.tenant_id = (SELECT exedra.tenant_id()) AND d.id = b.document_id
 ORDER BY b.score DESC, b.id;
