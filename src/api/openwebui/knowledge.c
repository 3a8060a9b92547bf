/* SPDX-License-Identifier: ISC
 * Collections of files: workspaces, seen from the side of what they hold. */
#include <string.h>

#include "api/api.h"
#include "api/openwebui/file.h"
#include "base/field.h"
#include "core/job.h"
#include "core/read.h"
#include "core/workspace.h"
#include "store/db.h"
#include "web/reply.h"

static int not_found(struct request *req)
{
	return fail(&req->task, 400, "workspace_unknown", OPENWEBUI_NOT_FOUND);
}

static PGresult *show(struct request *req, const char *slug, bool with_files)
{
	PGresult *rows = db_rows(&req->task, &sql_knowledge_show, ARGS(slug, db_bool_arg(with_files)));

	if (rows != NULL && PQntuples(rows) == 1)
		return rows;
	if (rows != NULL)
		not_found(req);
	return NULL;
}

/* The collection's id, for what is to be done with it; NULL with the reason in the task. */
static const char *find(struct request *req)
{
	PGresult *rows = show(req, request_param(req, "id"), false);

	return rows == NULL ? NULL : db_text(rows, 0, "id");
}

static int reply_knowledge(struct request *req, const char *slug, bool with_files)
{
	PGresult *rows = show(req, slug, with_files);

	return rows == NULL ? -1 : reply_json_text(req, 200, db_text(rows, 0, "knowledge"));
}

static int read_names(struct request *req, const char **name, const char **description)
{
	*name = *description = NULL;
	if (field_text(&req->task, req->json, "name", name) < 0 ||
		field_text(&req->task, req->json, "description", description) < 0)
		return -1;
	if (*name == NULL || **name == '\0')
		return fail_field(&req->task, 422, "field_missing", "name", "Field required");
	if (*description == NULL)
		return fail_field(&req->task, 422, "field_missing", "description", "Field required");
	*name = workspace_name(req->task.arena, *name);
	return 0;
}

int openwebui_knowledge_create(struct request *req)
{
	const char *name, *description, *slug;

	if (read_names(req, &name, &description) < 0 || workspace_create(&req->task, name, "{}", &slug) == NULL ||
		db_rows(&req->task, &sql_knowledge_update, ARGS(slug, name, description)) == NULL)
		return -1;
	return reply_knowledge(req, slug, false);
}

int openwebui_knowledge_update(struct request *req)
{
	const char *name, *description;
	PGresult *rows;

	if (read_names(req, &name, &description) < 0)
		return -1;
	rows = db_rows(&req->task, &sql_knowledge_update, ARGS(request_param(req, "id"), name, description));
	if (rows == NULL)
		return -1;
	return PQntuples(rows) == 0 ? not_found(req) : reply_knowledge(req, request_param(req, "id"), true);
}

int openwebui_knowledge_list(struct request *req)
{
	struct arena *arena = req->task.arena;
	PGresult *rows = db_rows(&req->task, &sql_knowledge_list,
		ARGS(openwebui_pattern(arena, request_query(req, "query"), true), db_int_arg(arena, OPENWEBUI_PAGE),
			db_int_arg(arena, openwebui_page(req))));

	if (rows == NULL)
		return -1;
	return reply_json_printf(
		req, 200, "{\"items\":%s,\"total\":%s}", db_text(rows, 0, "page"), db_text(rows, 0, "total"));
}

/* As it was up to 0.6.30: all at once, and only what the caller may change. */
int openwebui_knowledge_array(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_knowledge_list, ARGS(NULL, NULL, "0"));

	if (rows == NULL)
		return -1;
	return reply_json_text(req, 200, req->task.identity.role >= MANAGER ? db_text(rows, 0, "page") : "[]");
}

int openwebui_knowledge_show(struct request *req)
{
	PGresult *rows = show(req, request_param(req, "id"), true);

	if (rows == NULL && req->task.failure.status == 400)
		req->task.failure.status = 404;
	return rows == NULL ? -1 : reply_json_text(req, 200, db_text(rows, 0, "knowledge"));
}

/* Who sees a collection is said by accounts' roles and by exedractl(1): the grants are taken, and change nothing. */
int openwebui_knowledge_access(struct request *req)
{
	struct json_object *grants = NULL;

	if (field_array(&req->task, req->json, "access_grants", &grants) < 0)
		return -1;
	if (grants == NULL)
		return fail_field(&req->task, 422, "field_missing", "access_grants", "Field required");
	return reply_knowledge(req, request_param(req, "id"), true);
}

/* Vectors that are wanted and not there are made; words need nothing. */
int openwebui_knowledge_reindex(struct request *req)
{
	return job_enqueue(&req->task, "embed_check", "0") < 0 ? -1 : reply_json_text(req, 200, "true");
}

int openwebui_knowledge_export(struct request *req)
{
	if (find(req) == NULL)
		return -1;
	return fail(&req->task, 501, "export_unsupported", "Collections cannot be fetched as an archive here.");
}

/* ---- its files ---- */

static int reply_files(struct request *req, const char *slug)
{
	struct arena *arena = req->task.arena;
	const char *order = request_query(req, "order_by"), *direction = request_query(req, "direction");
	PGresult *rows = db_rows(&req->task, &sql_knowledge_files,
		ARGS(slug, openwebui_pattern(arena, request_query(req, "query"), true),
			order == NULL ? "created_at" : order,
			db_bool_arg(direction != NULL && strcmp(direction, "desc") == 0),
			db_int_arg(arena, OPENWEBUI_PAGE), db_int_arg(arena, openwebui_page(req))));
	int i;

	if (rows == NULL)
		return -1;
	reply_head(req, 200, "application/json; charset=utf-8", -1, NULL);
	openwebui_put(req, "{\"items\":[");
	for (i = 0; i < PQntuples(rows); i++) {
		openwebui_put(req, i == 0 ? "" : ",");
		openwebui_put_file(req, rows, i, false,
			slug != NULL ? ",\"user\":null"
				     : arena_printf(arena, ",\"user\":null,\"collection\":%s",
					       db_text(rows, i, "collection")));
	}
	openwebui_put(req, arena_printf(arena, "],\"total\":%s}", i == 0 ? "0" : db_text(rows, 0, "total")));
	return 0;
}

int openwebui_knowledge_files(struct request *req)
{
	return find(req) == NULL ? -1 : reply_files(req, request_param(req, "id"));
}

int openwebui_knowledge_search_files(struct request *req)
{
	return reply_files(req, NULL);
}

/* A file that is still to be read: its documents follow by themselves. */
static int add_later(struct request *req, const char *workspace, PGresult *file)
{
	const char *id = db_text(file, 0, "id");
	PGresult *now;

	if (db_rows(&req->task, &sql_knowledge_wait, ARGS(workspace, id)) == NULL)
		return -1;
	if (strcmp(db_text(file, 0, "state"), "stored") == 0)
		return read_later(&req->task, id);
	/* It may have been read while we were writing that down. */
	now = db_rows(&req->task, &sql_file_find, ARGS(id));
	if (now == NULL || PQntuples(now) == 0 || strcmp(db_text(now, 0, "state"), "done") != 0)
		return now == NULL ? -1 : 0;
	return read_place_once(&req->task, req->config, workspace, id);
}

/* Here what is not found is a 400. */
static PGresult *find_file(struct request *req, const char *uuid)
{
	PGresult *file = openwebui_find_file(req, uuid);

	if (file == NULL && req->task.failure.status == 404)
		req->task.failure.status = 400;
	return file;
}

int openwebui_knowledge_put(struct request *req, const char *workspace, const char *uuid)
{
	PGresult *file = find_file(req, uuid);
	const char *state;

	if (file == NULL)
		return -1;
	state = db_text(file, 0, "state");
	if (strcmp(state, "failed") == 0)
		return openwebui_unread(req);
	if (strcmp(state, "done") != 0)
		return add_later(req, workspace, file);
	return read_place_once(&req->task, req->config, workspace, db_text(file, 0, "id"));
}

static int read_file_id(struct request *req, const char **uuid)
{
	*uuid = NULL;
	if (field_text(&req->task, req->json, "file_id", uuid) < 0)
		return -1;
	return *uuid == NULL ? fail_field(&req->task, 422, "field_missing", "file_id", "Field required") : 0;
}

int openwebui_knowledge_add(struct request *req)
{
	const char *uuid, *workspace;

	if (read_file_id(req, &uuid) < 0 || (workspace = find(req)) == NULL ||
		openwebui_knowledge_put(req, workspace, uuid) < 0)
		return -1;
	return reply_knowledge(req, request_param(req, "id"), true);
}

/* The documents of a file are the same everywhere: what is read anew in it is there at once.  What is left to do is to
 * see that it is in. */
int openwebui_knowledge_file_update(struct request *req)
{
	return openwebui_knowledge_add(req);
}

int openwebui_knowledge_add_batch(struct request *req)
{
	struct json_object *members = req->list;
	const char *workspace = find(req);
	size_t i;

	if (workspace == NULL)
		return -1;
	for (i = 0; i < json_object_array_length(members); i++) {
		struct json_object *member = json_object_array_get_idx(members, i);
		const char *uuid = NULL;

		if (!json_object_is_type(member, json_type_object))
			return fail_field(&req->task, 422, "field_type", "file_id",
				"each member must be an object with a file_id");
		if (field_text(&req->task, member, "file_id", &uuid) < 0)
			return -1;
		/* Those that cannot be added are left out, as the original does. */
		if (uuid != NULL && openwebui_knowledge_put(req, workspace, uuid) < 0) {
			if (req->task.failure.status >= 500)
				return -1;
			fail_clear(&req->task);
		}
	}
	return reply_knowledge(req, request_param(req, "id"), true);
}

int openwebui_knowledge_remove(struct request *req)
{
	const char *uuid, *workspace;
	bool delete = true;
	PGresult *file;

	if (read_file_id(req, &uuid) < 0 || openwebui_flag(req, "delete_file", &delete) < 0 ||
		(workspace = find(req)) == NULL || (file = find_file(req, uuid)) == NULL)
		return -1;
	if (db_rows(&req->task, &sql_knowledge_remove, ARGS(workspace, db_text(file, 0, "id"))) == NULL)
		return -1;
	if (delete &&db_true(file, 0, "writable") &&
		db_rows(&req->task, &sql_file_delete, ARGS(db_text(file, 0, "id"))) == NULL)
		return -1;
	return reply_knowledge(req, request_param(req, "id"), true);
}

int openwebui_knowledge_reset(struct request *req)
{
	const char *workspace = find(req);

	if (workspace == NULL || db_rows(&req->task, &sql_knowledge_remove, ARGS(workspace, NULL)) == NULL)
		return -1;
	return reply_knowledge(req, request_param(req, "id"), false);
}

int openwebui_knowledge_delete(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_workspace_delete, ARGS(request_param(req, "id")));

	if (rows == NULL)
		return -1;
	return PQntuples(rows) == 0 ? not_found(req) : reply_json_text(req, 200, "true");
}
