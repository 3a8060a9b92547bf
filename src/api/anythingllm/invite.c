/* SPDX-License-Identifier: ISC
 * Invites: an administrator makes them, somebody without a key claims them. */
#include <string.h>

#include "api/api.h"
#include "base/field.h"
#include "core/account.h"
#include "store/db.h"
#include "store/secret.h"
#include "web/reply.h"

enum { GROUPS = 4, GROUP = 7, MOST_WORKSPACES = 1000 };

/* As the original's codes look: 4 groups of 7 of Crockford's 32 characters, 140 bits. */
static const char *new_code(struct arena *arena)
{
	static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	struct str *code = str_new(arena);
	int i;

	for (i = 0; i < GROUPS * GROUP; i++) {
		str_puts(code, i > 0 && i % GROUP == 0 ? "-" : "");
		str_putc(code, letters[secret_below(32)]);
	}
	return code->at;
}

static int read_workspaces(struct request *req, const char **ids)
{
	struct json_object *list = NULL;
	struct str *out = str_new(req->task.arena);
	size_t i, n;

	if (field_array(&req->task, req->json, "workspaceIds", &list) < 0)
		return -1;
	n = list == NULL ? 0 : json_object_array_length(list);
	if (n > MOST_WORKSPACES)
		return fail_field(&req->task, 422, "field_range", "workspaceIds",
			"workspaceIds holds more than %d ids.", MOST_WORKSPACES);
	str_putc(out, '{');
	for (i = 0; i < n; i++) {
		struct json_object *id = json_object_array_get_idx(list, i);

		if (json_object_is_type(id, json_type_int))
			str_printf(out, "%s%s", out->len > 1 ? "," : "", json_object_get_string(id));
	}
	str_putc(out, '}');
	*ids = out->at;
	return 0;
}

int anythingllm_invite_new(struct request *req)
{
	const char *code = new_code(req->task.arena), *ids = NULL;
	unsigned char hash[32];
	const char *args[] = {(const char *)hash, code, NULL};
	const int lengths[] = {sizeof(hash), 0, 0};
	struct db_call call = {.stmt = &sql_invite_create, .args = args, .n_args = 3, .lengths = lengths};

	if (read_workspaces(req, &ids) < 0)
		return -1;
	args[2] = ids;
	secret_sha256(code, strlen(code), hash);
	if (db_run(&req->task, &call, 1) < 0)
		return -1;
	return reply_json_printf(req, 200, "{\"invite\":%s,\"error\":null}", PQgetvalue(call.rows, 0, 0));
}

int anythingllm_invite_list(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_invite_list, NO_ARGS);

	return rows == NULL ? -1 : reply_json_printf(req, 200, "{\"invites\":%s}", PQgetvalue(rows, 0, 0));
}

int anythingllm_invite_delete(struct request *req)
{
	const char *id = request_id(request_param(req, "id"));
	PGresult *rows;

	if (strcmp(id, "0") == 0)
		return fail(&req->task, 400, "invite_id", "Invalid invite id");
	rows = db_rows(&req->task, &sql_invite_disable, ARGS(id));
	if (rows == NULL)
		return -1;
	if (!db_true(rows, 0, "found"))
		return fail(&req->task, 404, "invite_unknown", "Invite not found or already disabled");
	return reply_json_text(req, 200, "{\"success\":true,\"error\":null}");
}

/* What became of a code: `username` NULL only looks. */
static PGresult *claim(struct request *req, const char *username, const char *password)
{
	const char *code = request_param(req, "code");
	unsigned char hash[32];
	const char *args[] = {(const char *)hash, username, password};
	const int lengths[] = {sizeof(hash), 0, 0};
	struct db_call call = {.stmt = &sql_invite_claim, .args = args, .n_args = 3, .lengths = lengths};

	secret_sha256(code, strlen(code), hash);
	return db_run(&req->task, &call, 1) < 0 ? NULL : call.rows;
}

int anythingllm_invite_show(struct request *req)
{
	PGresult *rows = claim(req, NULL, NULL);

	if (rows == NULL)
		return -1;
	if (strcmp(PQgetvalue(rows, 0, 0), "pending") != 0)
		return reply_json_text(req, 200, "{\"invite\":null,\"error\":\"Invite is invalid.\"}");
	return reply_json_text(req, 200, "{\"invite\":{\"status\":\"pending\"},\"error\":null}");
}

int anythingllm_invite_accept(struct request *req)
{
	struct account_wish wish;
	PGresult *rows = claim(req, NULL, NULL);
	const char *outcome;

	if (rows == NULL)
		return -1;
	if (strcmp(PQgetvalue(rows, 0, 0), "pending") != 0)
		return reply_json_text(req, 200, "{\"success\":false,\"error\":\"Invite not found or already used.\"}");
	if (account_read(&req->task, req->json, true, &wish) < 0)
		return -1;
	/* Whatever else was said of role or limits: an invited person has the least. */
	rows = claim(req, wish.username, wish.password);
	if (rows == NULL)
		return -1;
	outcome = PQgetvalue(rows, 0, 0);
	if (strcmp(outcome, "taken") == 0)
		return fail_field(
			&req->task, 400, "user_refused", "username", "A user with that username already exists");
	return reply_json_text(req, 200,
		strcmp(outcome, "done") == 0 ? "{\"success\":true,\"error\":null}"
					     : "{\"success\":false,\"error\":\"Invite not found or already used.\"}");
}
