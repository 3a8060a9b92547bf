/* SPDX-License-Identifier: ISC
 * Passages without a chat, and documents that every chat is shown. */
#include <math.h>
#include <string.h>

#include "api/api.h"
#include "base/field.h"
#include "core/retrieve.h"
#include "store/db.h"
#include "web/reply.h"

enum { QUERY_BYTES = 65536 };

/* What is no good number counts as not given, as the contract has it; what asks for too much is refused. */
static int read_wishes(struct request *req, PGresult *workspace, struct retrieve_wishes *wishes)
{
	double top_n = 0, threshold = -1;

	if (field_number(&req->task, req->json, "topN", &top_n) < 0 ||
		field_number(&req->task, req->json, "scoreThreshold", &threshold) < 0)
		return -1;
	if (top_n > RETRIEVE_MOST)
		return fail_field(&req->task, 422, "field_range", "topN", "topN must be at most %d.", RETRIEVE_MOST);
	if (top_n < 1)
		top_n = fmin(fmax(1, db_number(workspace, 0, "top_n")), RETRIEVE_MOST);
	if (threshold < 0 || threshold > 1)
		threshold = db_number(workspace, 0, "threshold");
	*wishes = (struct retrieve_wishes){.top_n = (int)top_n, .threshold = threshold};
	return 0;
}

static int read_query(struct request *req, const char **query)
{
	*query = NULL;
	if (field_text(&req->task, req->json, "query", query) < 0)
		return -1;
	if (*query == NULL || **query == '\0')
		return fail_field(&req->task, 400, "query_missing", "query", "Query parameter cannot be empty.");
	if (strlen(*query) > QUERY_BYTES)
		return fail_field(&req->task, 400, "query_too_long", "query",
			"Query parameter cannot be longer than %d bytes.", QUERY_BYTES);
	return 0;
}

static void put_result(struct str *out, const struct passage *passage)
{
	str_printf(out, "%s{\"id\":\"%s\",\"text\":", out->at[out->len - 1] == '[' ? "" : ",", passage->id);
	str_json_text(out, passage->cited);
	str_printf(out, ",\"metadata\":%s", passage->metadata);
	if (passage->compared) {
		str_puts(out, ",\"distance\":");
		str_json_number(out, passage->distance);
	}
	str_puts(out, ",\"score\":");
	str_json_number(out, passage->score);
	str_putc(out, '}');
}

int anythingllm_vector_search(struct request *req)
{
	const char *slug = request_param(req, "slug"), *query;
	PGresult *workspace = db_rows(&req->task, &sql_workspace_search, ARGS(slug));
	struct str *out = str_new(req->task.arena);
	const struct passage *found;
	struct retrieve_wishes wishes;
	struct retrieve_scope scope;
	int n, i;

	if (workspace == NULL)
		return -1;
	if (PQntuples(workspace) == 0)
		return fail(&req->task, 400, "workspace_unknown", "Workspace %s is not a valid workspace.", slug);
	if (read_query(req, &query) < 0 || read_wishes(req, workspace, &wishes) < 0)
		return -1;
	scope = retrieve_workspace(req->task.arena, db_int(workspace, 0, "id"));
	n = retrieve(&req->task, req->config, &scope, query, &wishes, &found);
	if (n < 0)
		return -1;
	if (found == NULL)
		return reply_json_text(
			req, 200, "{\"results\":[],\"message\":\"No embeddings found for this workspace.\"}");
	str_puts(out, "{\"results\":[");
	for (i = 0; i < n; i++)
		put_result(out, &found[i]);
	str_puts(out, "]}");
	return reply_json(req, 200, out->at, out->len);
}

int anythingllm_update_pin(struct request *req)
{
	const char *path = NULL, *slash;
	bool pinned = false;
	PGresult *rows;

	if (field_text(&req->task, req->json, "docPath", &path) < 0 ||
		field_bool(&req->task, req->json, "pinStatus", &pinned) < 0)
		return -1;
	slash = path == NULL ? NULL : strchr(path, '/');
	if (slash == NULL)
		return fail(&req->task, 404, "document_unknown", "The workspace has no such document.");
	rows = db_rows(&req->task, &sql_workspace_document_pin,
		ARGS(request_param(req, "slug"), arena_copy(req->task.arena, path, (size_t)(slash - path)), slash + 1,
			db_bool_arg(pinned)));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return fail(&req->task, 404, "document_unknown", "The workspace has no such document.");
	return reply_json_text(req, 200, "{\"message\":\"Pin status updated successfully\"}");
}
