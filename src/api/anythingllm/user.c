/* SPDX-License-Identifier: ISC
 * People of the tenant, for its administrators. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "core/account.h"
#include "store/db.h"
#include "web/reply.h"

/* What the statements of sql/user say became of a change, in the original's words. */
static const struct {
	const char *outcome, *message;
} refusals[] = {
	{"unknown", "User not found"},
	{"nothing", "No valid updates applied."},
	{"taken", "A user with that username already exists"},
	{"last_admin", "No system admins will remain if you do this. Update failed."},
};

static int reply_outcome(struct request *req, const char *outcome, int unknown_status)
{
	size_t i;

	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (strcmp(outcome, refusals[i].outcome) == 0)
			return reply_json_printf(req, i == 0 ? unknown_status : 200,
				"{\"success\":false,\"error\":\"%s\"}", refusals[i].message);
	return reply_json_text(req, 200, "{\"success\":true,\"error\":null}");
}

static int reply_refusal(struct request *req)
{
	struct str *out = str_new(req->task.arena);

	str_puts(out, "{\"success\":false,\"error\":");
	str_json_text(out, req->task.failure.message);
	str_puts(out, "}");
	fail_clear(&req->task);
	return reply_json(req, 200, out->at, out->len);
}

int anythingllm_user_list(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_user_list, NO_ARGS);

	return rows == NULL ? -1 : reply_json_printf(req, 200, "{\"users\":%s}", PQgetvalue(rows, 0, 0));
}

int anythingllm_user_names(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_user_names, NO_ARGS);

	return rows == NULL ? -1 : reply_json_printf(req, 200, "{\"users\":%s}", PQgetvalue(rows, 0, 0));
}

int anythingllm_user_new(struct request *req)
{
	struct arena *arena = req->task.arena;
	struct account_wish wish;
	PGresult *rows;

	if (account_read(&req->task, req->json, true, &wish) < 0)
		return -1;
	rows = db_rows(&req->task, &sql_user_create,
		ARGS(wish.username, wish.password, db_int_arg(arena, wish.role == 0 ? MEMBER : wish.role),
			wish.bio == NULL ? "" : wish.bio,
			wish.daily_limit > 0 ? db_int_arg(arena, wish.daily_limit) : NULL));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return fail_field(
			&req->task, 400, "user_refused", "username", "A user with that username already exists");
	return reply_json_printf(req, 200, "{\"user\":%s,\"error\":null}", PQgetvalue(rows, 0, 0));
}

int anythingllm_user_update(struct request *req)
{
	struct account_wish wish;
	PGresult *rows;

	/* The original answers 200 to a bad value here, and clients read `success`. */
	if (account_read(&req->task, req->json, false, &wish) < 0) {
		if (db_enter(&req->task) < 0)
			return -1;
		return reply_refusal(req);
	}
	rows = db_rows(&req->task, &sql_user_update,
		ARGS(request_id(request_param(req, "id")), account_columns(req->task.arena, &wish)));
	return rows == NULL ? -1 : reply_outcome(req, PQgetvalue(rows, 0, 0), 200);
}

int anythingllm_user_delete(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_user_delete, ARGS(request_id(request_param(req, "id"))));

	return rows == NULL ? -1 : reply_outcome(req, PQgetvalue(rows, 0, 0), 404);
}

int anythingllm_multi_user_mode(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_setting_on, ARGS("multi_user"));

	if (rows == NULL)
		return -1;
	return reply_json_text(
		req, 200, db_true(rows, 0, "is_on") ? "{\"isMultiUser\":true}" : "{\"isMultiUser\":false}");
}
