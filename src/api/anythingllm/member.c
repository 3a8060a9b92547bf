/* SPDX-License-Identifier: ISC
 * Who is let into a workspace. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/field.h"
#include "store/db.h"
#include "web/reply.h"

enum { MOST_USERS = 10000 };

/* userIds: numbers, or texts that are; what is neither is nobody. */
static int read_users(struct request *req, bool needed, const char **users)
{
	struct json_object *list = NULL;
	struct str *out = str_new(req->task.arena);
	size_t i;

	if (field_array(&req->task, req->json, "userIds", &list) < 0)
		return -1;
	if (list == NULL && needed)
		return fail_field(&req->task, 422, "users_missing", "userIds", "userIds must be an array of user ids.");
	if (list != NULL && json_object_array_length(list) > MOST_USERS)
		return fail_field(
			&req->task, 422, "field_range", "userIds", "userIds holds more than %d ids.", MOST_USERS);
	str_putc(out, '{');
	for (i = 0; list != NULL && i < json_object_array_length(list); i++) {
		struct json_object *id = json_object_array_get_idx(list, i);

		if (json_object_is_type(id, json_type_int) || json_object_is_type(id, json_type_string))
			str_printf(out, "%s%s", out->len > 1 ? "," : "",
				json_object_get_int64(id) < 0 ? "0" : request_id(json_object_get_string(id)));
	}
	str_putc(out, '}');
	*users = out->at;
	return 0;
}

int anythingllm_member_list(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_member_list, ARGS(request_id(request_param(req, "id"))));

	return rows == NULL ? -1 : reply_json_printf(req, 200, "{\"users\":%s}", PQgetvalue(rows, 0, 0));
}

int anythingllm_member_update(struct request *req)
{
	const char *users;

	if (read_users(req, false, &users) < 0 ||
		db_rows(&req->task, &sql_member_set, ARGS(request_id(request_param(req, "id")), users)) == NULL)
		return -1;
	return reply_json_text(req, 200, "{\"success\":true,\"error\":null}");
}

int anythingllm_member_manage(struct request *req)
{
	const char *users, *slug = request_param(req, "id");
	bool reset = false, found;
	PGresult *rows, *now;

	if (read_users(req, true, &users) < 0 || field_bool(&req->task, req->json, "reset", &reset) < 0)
		return -1;
	rows = db_rows(&req->task, &sql_member_manage, ARGS(slug, users, db_bool_arg(reset)));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return fail(&req->task, 404, "workspace_unknown", "Workspace %s not found", slug);
	now = db_rows(&req->task, &sql_member_list, ARGS(db_text(rows, 0, "id")));
	if (now == NULL)
		return -1;
	found = db_int(rows, 0, "n") > 0;
	return reply_json_printf(req, found ? 200 : 404, "{\"success\":%s,\"error\":%s,\"users\":%s}",
		found ? "true" : "false", found ? "null" : "\"No valid user IDs provided.\"", PQgetvalue(now, 0, 0));
}
