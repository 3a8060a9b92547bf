/* SPDX-License-Identifier: ISC
 * Collections are searched by their names, without a chat. */
#include <string.h>

#include "api/api.h"
#include "api/openwebui/collection.h"
#include "api/openwebui/sources.h"
#include "base/field.h"
#include "core/attach.h"
#include "core/context.h"
#include "web/reply.h"

enum { PRESET = 3, MOST = 100 };

int openwebui_retrieval(struct request *req)
{
	const struct config *config = req->config;
	struct str *out = str_new(req->task.arena);

	str_printf(out,
		"{\"status\":true,\"CHUNK_SIZE\":%d,\"CHUNK_OVERLAP\":%d,\"RAG_TEMPLATE\":", config->chunk_chars,
		config->chunk_overlap);
	str_json_text(out, context_template);
	str_puts(out, ",\"RAG_EMBEDDING_ENGINE\":");
	str_json_text(out, config->embed_provider == NULL ? "" : config->embed_provider);
	str_puts(out, ",\"RAG_EMBEDDING_MODEL\":");
	str_json_text(out, config->embed_model == NULL ? "" : config->embed_model);
	str_puts(out, ",\"RAG_RERANKING_MODEL\":");
	str_json_text(out, config->rerank_model == NULL ? "" : config->rerank_model);
	str_printf(out,
		",\"RAG_EMBEDDING_BATCH_SIZE\":%d,\"ENABLE_ASYNC_EMBEDDING\":true,"
		"\"RAG_EMBEDDING_CONCURRENT_REQUESTS\":0}",
		config->embed_batch);
	return reply_json(req, 200, out->at, out->len);
}

static int read_query(struct request *req, const char **query, int *k)
{
	double n = PRESET;

	*query = NULL;
	if (field_text(&req->task, req->json, "query", query) < 0 || field_number(&req->task, req->json, "k", &n) < 0)
		return -1;
	if (*query == NULL)
		return fail_field(&req->task, 422, "field_missing", "query", "Field required");
	*k = n < 1 ? 1 : n > MOST ? MOST : (int)n;
	return 0;
}

/* A list of one list. */
static void put_list(
	struct str *out, const char *name, const struct passage *const *found, int n, openwebui_put_one *put)
{
	struct str *list = str_new(out->arena);

	openwebui_put_list(list, name, found, n, put);
	str_printf(out, "%s\"%s\":[%s]", out->len == 0 ? "{" : ",", name, strchr(list->at, '['));
}

static int reply_found(struct request *req, const struct passage *found, int n, bool with_ids)
{
	const struct passage **list = arena_get(req->task.arena, ((size_t)n + 1) * sizeof(*list));
	struct str *out = str_new(req->task.arena);
	int i;

	for (i = 0; i < n; i++)
		list[i] = &found[i];
	if (with_ids)
		put_list(out, "ids", list, n, openwebui_put_id);
	put_list(out, "documents", list, n, openwebui_put_passage);
	put_list(out, "metadatas", list, n, openwebui_put_meta);
	put_list(out, "distances", list, n, openwebui_put_score);
	str_puts(out, "}");
	return reply_json(req, 200, out->at, out->len);
}

static int search(struct request *req, struct openwebui_scope *scope, const char *query, int k, bool with_ids)
{
	const struct passage *found = NULL;
	int n;

	if (openwebui_scope_find(req, scope) < 0)
		return -1;
	/* Of one file it is told that it is not there; but not whether it is somebody else's. */
	if (with_ids && openwebui_file_name(scope->names[0]) != NULL && strcmp(scope->files, "{}") == 0)
		return fail(&req->task, 403, "file_unknown",
			"You do not have permission to access this resource. Please contact your administrator for "
			"assistance.");
	n = attach_search(&req->task, req->config, scope->workspaces, scope->files, query, k, &found);
	if (n < 0 || attach_describe(&req->task, &found, n) < 0)
		return -1;
	return reply_found(req, found, n, with_ids);
}

int openwebui_query_doc(struct request *req)
{
	struct openwebui_scope scope = {0};
	const char *query, *name = NULL;
	int k;

	if (field_text(&req->task, req->json, "collection_name", &name) < 0)
		return -1;
	if (name == NULL)
		return fail_field(&req->task, 422, "field_missing", "collection_name", "Field required");
	if (read_query(req, &query, &k) < 0)
		return -1;
	openwebui_scope_add(&scope, name);
	return search(req, &scope, query, k, true);
}

int openwebui_query_collection(struct request *req)
{
	struct openwebui_scope scope = {0};
	const char *query, *const *names = NULL;
	size_t n = 0, i;
	int k;

	if (field_texts(&req->task, req->json, "collection_names", &names, &n) < 0)
		return -1;
	if (!field_given(req->json, "collection_names"))
		return fail_field(&req->task, 422, "field_missing", "collection_names", "Field required");
	if (read_query(req, &query, &k) < 0)
		return -1;
	for (i = 0; i < n; i++)
		openwebui_scope_add(&scope, names[i]);
	return search(req, &scope, query, k, false);
}
