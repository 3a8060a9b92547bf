/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "api/api.h"
#include "base/field.h"
#include "base/slug.h"
#include "store/db.h"
#include "store/secret.h"
#include "web/reply.h"

enum { NAME_BYTES = 1024, SLUG_BYTES = 255 };

static int workspace_unknown(struct request *req, int status)
{
	return fail(&req->task, status, "workspace_unknown", "Workspace not found");
}

static int thread_unknown(struct request *req)
{
	return fail(&req->task, 404, "thread_unknown", "Thread not found");
}

static int read_name(struct request *req, const char **name)
{
	if (field_text(&req->task, req->json, "name", name) < 0)
		return -1;
	if (*name != NULL && strlen(*name) > NAME_BYTES)
		return fail_field(&req->task, 422, "field_range", "name", "name is longer than %d bytes.", NAME_BYTES);
	return 0;
}

static int read_slug(struct request *req, const char **slug)
{
	const char *given = NULL;

	if (field_text(&req->task, req->json, "slug", &given) < 0)
		return -1;
	*slug = given == NULL || *given == '\0' ? "" : slug_make(req->task.arena, SLUG_THREAD, given);
	if (strlen(*slug) > SLUG_BYTES)
		return fail_field(&req->task, 422, "field_range", "slug", "slug is longer than %d bytes.", SLUG_BYTES);
	/* Nothing usable was given: an empty slug could not be reached by any path. */
	if (**slug == '\0')
		*slug = secret_new_uuid(req->task.arena);
	return 0;
}

int anythingllm_thread_new(struct request *req)
{
	struct json_object *user = field_get(req->json, "userId");
	const char *name = NULL, *slug;
	PGresult *rows;

	if (user != NULL && !json_object_is_type(user, json_type_int))
		return field_refuse(&req->task, "userId", "a whole number");
	if (json_object_get_int64(user) == 0) /* as the original has it: programs that name nobody send it */
		user = NULL;
	if (read_name(req, &name) < 0 || read_slug(req, &slug) < 0)
		return -1;
	rows = db_rows(&req->task, &sql_thread_create,
		ARGS(request_param(req, "slug"), name == NULL || *name == '\0' ? "Thread" : name, slug,
			user == NULL ? NULL : json_object_get_string(user)));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return workspace_unknown(req, 400);
	if (PQgetisnull(rows, 0, 0))
		return reply_json_text(req, 200,
			"{\"thread\":null,\"message\":\"A thread with this slug exists already, or there is no such "
			"user.\"}");
	return reply_json_printf(req, 200, "{\"thread\":%s,\"message\":null}", PQgetvalue(rows, 0, 0));
}

int anythingllm_thread_update(struct request *req)
{
	const char *name = NULL;
	PGresult *rows;

	if (read_name(req, &name) < 0)
		return -1;
	rows = db_rows(&req->task, &sql_thread_update,
		ARGS(request_param(req, "slug"), request_param(req, "threadSlug"), name));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return workspace_unknown(req, 404);
	if (PQgetisnull(rows, 0, 0))
		return thread_unknown(req);
	return reply_json_printf(req, 200, "{\"thread\":%s,\"message\":null}", PQgetvalue(rows, 0, 0));
}

/* OK for a thread that is not there, too. */
int anythingllm_thread_delete(struct request *req)
{
	PGresult *rows = db_rows(
		&req->task, &sql_thread_delete, ARGS(request_param(req, "slug"), request_param(req, "threadSlug")));

	if (rows == NULL)
		return -1;
	return PQntuples(rows) == 0 ? workspace_unknown(req, 400) : reply_reason(req, 200);
}

int anythingllm_thread_chats(struct request *req)
{
	PGresult *rows = db_rows(
		&req->task, &sql_thread_chats, ARGS(request_param(req, "slug"), request_param(req, "threadSlug")));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return workspace_unknown(req, 404);
	if (PQgetisnull(rows, 0, 0))
		return thread_unknown(req);
	return reply_json_printf(req, 200, "{\"history\":%s}", PQgetvalue(rows, 0, 0));
}
