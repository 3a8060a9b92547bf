-- The shapes that clients read.  A composite type names the keys in their order and row_to_json() writes them
-- compactly; each function is one expression, so PostgreSQL puts it into the statement that calls it.

CREATE OR REPLACE FUNCTION exedra.iso(t timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;
COMMENT ON FUNCTION exedra.iso(timestamptz) IS 'ISO 8601 with milliseconds and Z, as clients match it.';

CREATE OR REPLACE FUNCTION exedra.epoch(t timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT floor(extract(epoch FROM t))::bigint $$;
COMMENT ON FUNCTION exedra.epoch(timestamptz) IS 'Unix seconds.';

SELECT exedra.define_type('workspace_json', '
    "id" bigint, "name" text, "slug" text, "vectorTag" text, "createdAt" text, "openAiTemp" double precision,
    "openAiHistory" int, "lastUpdatedAt" text, "openAiPrompt" text, "similarityThreshold" double precision,
    "chatProvider" text, "chatModel" text, "topN" int, "chatMode" text, "pfpFilename" text, "agentProvider" text,
    "agentModel" text, "queryRefusalResponse" text, "vectorSearchMode" text, "router_id" int');
CREATE OR REPLACE FUNCTION exedra.json_workspace(w exedra.workspace) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(w.id, w.name, w.slug, NULL, exedra.iso(w.created_at), w.temperature, w.history_length,
        exedra.iso(w.changed_at), w.prompt, w.similarity_threshold, w.chat_provider, w.chat_model, w.top_n,
        w.chat_mode, NULL, w.agent_provider, w.agent_model, w.refusal, w.vector_search_mode,
        w.router_id)::exedra.workspace_json)
$$;
COMMENT ON FUNCTION exedra.json_workspace(exedra.workspace) IS 'A workspace as AnythingLLM''s API shows it.';

CREATE OR REPLACE FUNCTION exedra.json_extend(object json, members text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT left(object::text, -1) || ',' || members || '}' $$;
COMMENT ON FUNCTION exedra.json_extend(json, text) IS 'A JSON object (not empty) with more members at its end.';

CREATE OR REPLACE FUNCTION exedra.json_array(items text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT '[' || coalesce(items, '') || ']' $$;
COMMENT ON FUNCTION exedra.json_array(text) IS 'A compact JSON array of what string_agg(..., '','') put together; NULL (no rows) is [].';

SELECT exedra.define_type('thread_of_workspace_json', '"user_id" bigint, "slug" text, "name" text');
SELECT exedra.define_type('thread_short_json', '"user_id" bigint, "slug" text');

SELECT exedra.define_type('document_json', '
    "id" uuid, "url" text, "title" text, "docAuthor" text, "description" text, "docSource" text,
    "chunkSource" text, "published" text, "wordCount" bigint, "token_count_estimate" bigint');
CREATE OR REPLACE FUNCTION exedra.json_document(d exedra.document) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(d.uuid, d.url, d.title, d.author, d.description, d.source, d.chunk_source, d.published,
        d.word_count, d.token_estimate)::exedra.document_json)
$$;
COMMENT ON FUNCTION exedra.json_document(exedra.document) IS 'A document''s metadata, as a workspace''s document row carries it.';

SELECT exedra.define_type('file_json', '
    "name" text, "type" text, "id" uuid, "url" text, "title" text, "docAuthor" text, "description" text,
    "docSource" text, "chunkSource" text, "published" text, "wordCount" bigint, "token_count_estimate" bigint,
    "cached" boolean');
CREATE OR REPLACE FUNCTION exedra.json_file(d exedra.document, cached boolean) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(d.name, 'file', d.uuid, d.url, d.title, d.author, d.description, d.source,
        d.chunk_source, d.published, d.word_count, d.token_estimate, cached)::exedra.file_json)
$$;
COMMENT ON FUNCTION exedra.json_file(exedra.document, boolean) IS 'A document as a file: what a listing shows.';

SELECT exedra.define_type('workspace_document_json', '
    "id" bigint, "docId" uuid, "filename" text, "docpath" text, "workspaceId" bigint, "metadata" text,
    "pinned" boolean, "watched" boolean, "createdAt" text, "lastUpdatedAt" text');
CREATE OR REPLACE FUNCTION exedra.json_workspace_document(l exedra.workspace_document, d exedra.document) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(l.id, l.uuid, d.name, d.folder || '/' || d.name, l.workspace_id,
        exedra.json_document(d)::text, l.pinned, false, exedra.iso(l.created_at),
        exedra.iso(l.changed_at))::exedra.workspace_document_json)
$$;
COMMENT ON FUNCTION exedra.json_workspace_document(exedra.workspace_document, exedra.document) IS 'A document of a workspace.';

SELECT exedra.define_type('source_json', '
    "id" uuid, "url" text, "title" text, "docAuthor" text, "description" text, "docSource" text,
    "chunkSource" text, "published" text, "wordCount" bigint, "token_count_estimate" bigint, "text" text');
CREATE OR REPLACE FUNCTION exedra.chunk_text(d exedra.document, text text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '<document_metadata>' || E'\nsourceDocument: ' || d.title || E'\npublished: ' || d.published || E'\n'
        || CASE WHEN d.chunk_source LIKE 'link://%' OR d.chunk_source LIKE 'youtube://%'
                THEN 'source: ' || substr(d.chunk_source, strpos(d.chunk_source, '://') + 3) || E'\n' ELSE '' END
        || E'</document_metadata>\n\n' || text
$$;
COMMENT ON FUNCTION exedra.chunk_text(exedra.document, text) IS 'A passage under the header that clients and models see.';
CREATE OR REPLACE FUNCTION exedra.json_source(d exedra.document, uuid uuid, text text, score double precision, distance double precision)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT exedra.json_extend(row_to_json(ROW(uuid, d.url, d.title, d.author, d.description, d.source, d.chunk_source, d.published,
        d.word_count, d.token_estimate, exedra.chunk_text(d, text))::exedra.source_json),
        coalesce('"_distance":' || distance || ',', '') || '"score":' || coalesce(score::text, 'null'))
$$;
COMMENT ON FUNCTION exedra.json_source(exedra.document, uuid, text, double precision, double precision) IS 'A found passage as a source of an answer; distance NULL: it has no vector that was compared.';

SELECT exedra.define_type('pinned_json', '
    "text" text, "id" uuid, "url" text, "title" text, "docAuthor" text, "description" text, "docSource" text,
    "chunkSource" text, "published" text, "wordCount" bigint, "token_count_estimate" bigint');
CREATE OR REPLACE FUNCTION exedra.json_pinned(d exedra.document, beginning text) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(beginning || '...continued on in source document...', d.uuid, d.url, d.title, d.author, d.description,
        d.source, d.chunk_source, d.published, d.word_count, d.token_estimate)::exedra.pinned_json)
$$;
COMMENT ON FUNCTION exedra.json_pinned(exedra.document, text) IS 'A document that is shown whole as a source of an answer.';

SELECT exedra.define_type('metadata_json', '
    "url" text, "title" text, "author" text, "description" text, "docSource" text, "chunkSource" text, "published" text,
    "wordCount" bigint, "tokenCount" bigint');
CREATE OR REPLACE FUNCTION exedra.json_metadata(d exedra.document) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(d.url, d.title, d.author, d.description, d.source, d.chunk_source, d.published, d.word_count,
        d.token_estimate)::exedra.metadata_json)
$$;
COMMENT ON FUNCTION exedra.json_metadata(exedra.document) IS 'A document''s metadata as a vector search shows it.';

SELECT exedra.define_type('history_user_json', '
    "role" text, "content" text, "sentAt" bigint, "attachments" json, "chatId" bigint');
SELECT exedra.define_type('history_assistant_json', '
    "type" text, "role" text, "content" text, "sources" json, "chatId" bigint, "sentAt" bigint,
    "feedbackScore" boolean, "metrics" json');
CREATE OR REPLACE FUNCTION exedra.json_history(c exedra.chat) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW('user', c.prompt, exedra.epoch(c.created_at), c.attachments,
               c.id)::exedra.history_user_json) || ',' ||
           row_to_json(ROW(c.mode, 'assistant', c.answer, c.sources, c.id, exedra.epoch(c.created_at),
               c.feedback, c.metrics)::exedra.history_assistant_json)
$$;
COMMENT ON FUNCTION exedra.json_history(exedra.chat) IS 'A stored chat as the two items of a history: question, answer.';

SELECT exedra.define_type('thread_json', '
    "id" bigint, "name" text, "slug" text, "workspace_id" bigint, "user_id" bigint, "createdAt" text, "lastUpdatedAt" text');
CREATE OR REPLACE FUNCTION exedra.json_thread(t exedra.thread) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(t.id, t.name, t.slug, t.workspace_id, t.account_id, exedra.iso(t.created_at),
        exedra.iso(t.changed_at))::exedra.thread_json)
$$;
COMMENT ON FUNCTION exedra.json_thread(exedra.thread) IS 'A thread as AnythingLLM''s API shows it.';

SELECT exedra.define_type('model_info_json', '
    "id" text, "user_id" text, "base_model_id" text, "name" text, "meta" json, "access_grants" json, "is_active" boolean,
    "updated_at" bigint, "created_at" bigint');
SELECT exedra.define_type('model_json', '
    "id" text, "object" text, "created" bigint, "owned_by" text, "name" text, "description" text, "connection_type" text,
    "preset" boolean, "info" json, "actions" json, "filters" json, "tags" json');
CREATE OR REPLACE FUNCTION exedra.json_model(w exedra.workspace, owner text) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT row_to_json(ROW(w.slug, 'model', exedra.epoch(w.created_at), coalesce(w.chat_provider, owner), w.name, nullif(w.description, ''),
        'local', true, row_to_json(ROW(w.slug, '', w.chat_model, w.name,
            ('{"description":' || coalesce(to_json(nullif(w.description, ''))::text, 'null') || ',"capabilities":{},"tags":[]}')::json, '[]'::json,
            true, exedra.epoch(w.changed_at), exedra.epoch(w.created_at))::exedra.model_info_json),
        '[]'::json, '[]'::json, '[]'::json)::exedra.model_json)
$$;
COMMENT ON FUNCTION exedra.json_model(exedra.workspace, text) IS 'A workspace as a model of the OpenAI API, with the members every reader looks for.';
