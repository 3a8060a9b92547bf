/* SPDX-License-Identifier: ISC */
#include "api/anythingllm/folder.h"

#include <string.h>

#include "api/api.h"
#include "base/field.h"
#include "store/db.h"
#include "web/reply.h"

enum { NAME_BYTES = 255 };

bool folder_name_valid(const char *name)
{
	const char *at;

	for (at = name; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '/' || *at == '\\')
			return false;
	return at - name <= NAME_BYTES && name[strspn(name, ". ")] != '\0';
}

int anythingllm_folder_create(struct request *req)
{
	const char *name = NULL;
	PGresult *rows;

	if (field_text(&req->task, req->json, "name", &name) < 0)
		return -1;
	if (name == NULL || *name == '\0')
		return fail_field(&req->task, 422, "name_missing", "name", "Failed to create folder: Invalid path.");
	if (!folder_name_valid(name))
		return fail_field(
			&req->task, 422, "folder_invalid", "name", "Failed to create folder: Invalid path name");
	rows = db_rows(&req->task, &sql_folder_create, ARGS(name));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return fail_field(&req->task, 409, "folder_exists", "name", "Folder by that name already exists");
	return reply_json_text(req, 200, "{\"success\":true,\"message\":null}");
}

/* 200 also when there is nothing to remove, as with the original. */
int anythingllm_folder_remove(struct request *req)
{
	const char *name = NULL;

	if (field_text(&req->task, req->json, "name", &name) < 0)
		return -1;
	if (db_rows(&req->task, &sql_folder_delete, ARGS(name)) == NULL)
		return -1;
	return reply_json_text(req, 200, "{\"success\":true,\"message\":\"Folder removed successfully\"}");
}

int anythingllm_documents_remove(struct request *req)
{
	struct arena *arena = req->task.arena;
	const char *const *names = NULL;
	size_t n;

	if (field_texts(&req->task, req->json, "names", &names, &n) < 0)
		return -1;
	if (field_get(req->json, "names") == NULL)
		return fail_field(&req->task, 422, "names_missing", "names", "names must be an array of locations.");
	if (db_rows(&req->task, &sql_document_delete, ARGS(db_array(arena, names, n))) == NULL)
		return -1;
	return reply_json_text(req, 200, "{\"success\":true,\"message\":\"Documents removed successfully\"}");
}

int anythingllm_vector_count(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_document_vectors, NO_ARGS);

	if (rows == NULL)
		return -1;
	return reply_json_printf(req, 200, "{\"vectorCount\":%s}", PQgetvalue(rows, 0, 0));
}

/* ---- moving ---- */

/* Where documents are and where they are to go, place by place. */
struct moves {
	const char **from_folder, **from_name, **to_folder, **to_name;
	size_t n;
};

static int refuse_moves(struct request *req, const char *what)
{
	return fail_field(&req->task, 422, "field_type", "files", "Failed to move files. %s", what);
}

/* A location taken apart: false when it has not two segments. */
static bool split(struct arena *arena, const char *location, const char **folder, const char **name)
{
	const char *slash = strchr(location, '/');

	if (slash == NULL || strchr(slash + 1, '/') != NULL)
		return false;
	*folder = arena_copy(arena, location, (size_t)(slash - location));
	*name = slash + 1;
	return true;
}

/* What is no location is nowhere; but what is to become one must be fit for it. */
static int read_move(struct request *req, struct json_object *item, struct moves *moves)
{
	struct json_object *from = field_get(item, "from"), *to = field_get(item, "to");
	size_t no = moves->n++, len;
	const char *name;

	if (!json_object_is_type(from, json_type_string) || !json_object_is_type(to, json_type_string))
		return refuse_moves(req, "Each of files has the texts from and to.");
	if (!split(req->task.arena, json_object_get_string(from), &moves->from_folder[no], &moves->from_name[no]))
		moves->from_folder[no] = moves->from_name[no] = "";
	if (!split(req->task.arena, json_object_get_string(to), &moves->to_folder[no], &moves->to_name[no]))
		return refuse_moves(req, "A location is a folder's name, a slash, and a file's name.");
	name = moves->to_name[no];
	len = strlen(name);
	if (!folder_name_valid(moves->to_folder[no]) || !folder_name_valid(name) || len < 6 ||
		strcmp(name + len - 5, ".json") != 0)
		return refuse_moves(
			req, "A location is a folder's name, a slash, and a file's name that ends in .json.");
	return 0;
}

static int read_moves(struct request *req, struct moves *moves)
{
	struct arena *arena = req->task.arena;
	struct json_object *files = NULL;
	const char ***lists[] = {&moves->from_folder, &moves->from_name, &moves->to_folder, &moves->to_name};
	size_t n, i;

	if (!json_object_is_type(field_get(req->json, "files"), json_type_array))
		return refuse_moves(req, "files must be an array.");
	files = field_get(req->json, "files");
	n = json_object_array_length(files);
	for (i = 0; i < 4; i++)
		*lists[i] = arena_get(arena, (n + 1) * sizeof(**lists[i]));
	for (i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(files, i);

		if (!json_object_is_type(item, json_type_object))
			return refuse_moves(req, "Each of files has the texts from and to.");
		if (read_move(req, item, moves) < 0)
			return -1;
	}
	return 0;
}

int anythingllm_documents_move(struct request *req)
{
	struct arena *arena = req->task.arena;
	struct moves m = {0};
	PGresult *rows;
	int64_t used;

	if (read_moves(req, &m) < 0)
		return -1;
	rows = db_rows(&req->task, &sql_document_move,
		ARGS(db_array(arena, m.from_folder, m.n), db_array(arena, m.from_name, m.n),
			db_array(arena, m.to_folder, m.n), db_array(arena, m.to_name, m.n)));
	if (rows == NULL)
		return -1;
	if (db_int(rows, 0, "lost") > 0)
		return fail(&req->task, 404, "move_lost", "Failed to move some files.");
	if (db_int(rows, 0, "taken") > 0)
		return fail(&req->task, 409, "move_taken", "Failed to move some files.");
	used = db_int(rows, 0, "used");
	if (used == 0)
		return reply_json_text(req, 200, "{\"success\":true,\"message\":null}");
	return reply_json_printf(req, 200,
		"{\"success\":true,\"message\":\"%lld/%zu files not moved. Unembed them from all workspaces.\"}",
		(long long)used, m.n);
}
