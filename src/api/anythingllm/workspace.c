/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/field.h"
#include "core/ingest.h"
#include "core/workspace.h"
#include "store/db.h"
#include "web/reply.h"

enum { CHATS_PRESET = 100, CHATS_MOST = 10000 };

int anythingllm_workspace_new(struct request *req)
{
	const char *name = NULL, *columns, *slug, *made;

	if (field_text(&req->task, req->json, "name", &name) < 0)
		return -1;
	if (name == NULL || *name == '\0')
		return fail_field(&req->task, 400, "name_missing", "name", "name cannot be null");
	if ((columns = workspace_columns(&req->task, req->json, false)) == NULL)
		return -1;
	made = workspace_create(&req->task, workspace_name(req->task.arena, name), columns, &slug);
	return made == NULL ? -1 : reply_json_printf(req, 200, "{\"workspace\":%s,\"message\":null}", made);
}

int anythingllm_workspace_list(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_workspace_list, NO_ARGS);

	if (rows == NULL)
		return -1;
	return reply_json_printf(req, 200, "{\"workspaces\":%s}", PQgetvalue(rows, 0, 0));
}

/* An array even for one; clients ask whether it is empty. */
int anythingllm_workspace_show(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_workspace_show, ARGS(request_param(req, "slug")));

	if (rows == NULL)
		return -1;
	return reply_json_printf(req, 200, "{\"workspace\":[%s]}", PQntuples(rows) == 0 ? "" : PQgetvalue(rows, 0, 0));
}

static int unknown(struct request *req)
{
	return fail(&req->task, 400, "workspace_unknown", "There is no such workspace.");
}

int anythingllm_workspace_delete(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_workspace_delete, ARGS(request_param(req, "slug")));

	if (rows == NULL)
		return -1;
	return PQntuples(rows) == 0 ? unknown(req) : reply_reason(req, 200);
}

/* Nothing to change: the original answers with the bare id. */
static int change_nothing(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_workspace_find, ARGS(request_param(req, "slug"), NULL));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return unknown(req);
	return reply_json_printf(req, 200, "{\"workspace\":{\"id\":%s},\"message\":\"No valid fields to update!\"}",
		PQgetvalue(rows, 0, 0));
}

int anythingllm_workspace_update(struct request *req)
{
	const char *columns = workspace_columns(&req->task, req->json, true);
	PGresult *rows;

	if (columns == NULL)
		return -1;
	if (strcmp(columns, "{}") == 0)
		return change_nothing(req);
	rows = db_rows(&req->task, &sql_workspace_update, ARGS(request_param(req, "slug"), columns));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return unknown(req);
	return reply_json_printf(req, 200, "{\"workspace\":%s,\"message\":null}", PQgetvalue(rows, 0, 0));
}

/* How many chats: a whole number, at least one; -1 for what is none (the original then shows an empty history). */
static int64_t chat_limit(const char *text)
{
	char *end;
	long long limit;

	if (text == NULL || *text == '\0')
		return CHATS_PRESET;
	errno = 0;
	limit = strtoll(text, &end, 10);
	if (*end != '\0' || strchr("-0123456789", *text) == NULL)
		return -1;
	return limit < 1 ? 1 : limit > CHATS_MOST ? CHATS_MOST : limit;
}

int anythingllm_workspace_chats(struct request *req)
{
	const char *session = request_query(req, "apiSessionId"), *order = request_query(req, "orderBy");
	int64_t limit = chat_limit(request_query(req, "limit"));
	bool newest_first = order != NULL && strcmp(order, "desc") == 0;
	PGresult *rows = db_rows(&req->task, &sql_chat_list,
		ARGS(request_param(req, "slug"), session != NULL && *session == '\0' ? NULL : session,
			db_int_arg(req->task.arena, limit < 0 ? 0 : limit), db_bool_arg(newest_first)));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return unknown(req);
	return reply_json_printf(req, 200, "{\"history\":%s}", PQgetvalue(rows, 0, 0));
}

int anythingllm_workspace_embed(struct request *req)
{
	struct arena *arena = req->task.arena;
	const char *slug = request_param(req, "slug");
	const char *const *adds = NULL, *const *deletes = NULL;
	size_t n_adds, n_deletes;
	PGresult *rows;

	if (field_texts(&req->task, req->json, "adds", &adds, &n_adds) < 0 ||
		field_texts(&req->task, req->json, "deletes", &deletes, &n_deletes) < 0)
		return -1;
	rows = db_rows(&req->task, &sql_workspace_document_change,
		ARGS(slug, db_array(arena, deletes, n_deletes), db_array(arena, adds, n_adds)));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return unknown(req);
	if (db_text(rows, 0, "document_id") != NULL &&
		ingest_place_all(&req->task, req->config, db_text(rows, 0, "workspace_id"), rows) < 0)
		return -1;
	rows = db_rows(&req->task, &sql_workspace_document_show, ARGS(slug));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return unknown(req);
	return reply_json_printf(req, 200, "{\"workspace\":%s}", PQgetvalue(rows, 0, 0));
}
