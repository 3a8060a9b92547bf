/* SPDX-License-Identifier: ISC
 * An administrator's program lets somebody sign in: a token, used once and soon. */
#include <string.h>

#include "api/api.h"
#include "store/db.h"
#include "store/secret.h"
#include "web/reply.h"

enum { SESSION_S = 28 * 86400 };

static PGresult *issue(struct request *req, const char *token)
{
	unsigned char hash[32];
	const char *args[] = {request_id(request_param(req, "id")), (const char *)hash};
	const int lengths[] = {0, sizeof(hash)};
	struct db_call call = {.stmt = &sql_account_issue_token, .args = args, .n_args = 2, .lengths = lengths};

	secret_sha256(token, strlen(token), hash);
	return db_run(&req->task, &call, 1) < 0 ? NULL : call.rows;
}

int anythingllm_token_issue(struct request *req)
{
	const char *token = secret_new_token(req->task.arena, "allm-tat-"), *outcome;
	PGresult *rows = issue(req, token);

	if (rows == NULL)
		return -1;
	outcome = db_text(rows, 0, "outcome");
	if (strcmp(outcome, "off") == 0)
		return fail(&req->task, 403, "sso_off",
			"Simple SSO is not enabled. It must be enabled to validate or issue temporary auth tokens.");
	if (strcmp(outcome, "single_user") == 0)
		return fail(&req->task, 403, "multi_user_off",
			"Multi-User mode is not enabled. It must be enabled to use Simple SSO.");
	if (strcmp(outcome, "unknown") == 0)
		return fail(&req->task, 404, "user_unknown", "User not found");
	return reply_json_printf(req, 200, "{\"token\":\"%s\",\"loginPath\":\"/sso/simple?token=%s\"}", token, token);
}

/* What a browser or a program brings to loginPath.  No cookie: a link that somebody else made would sign in whoever
 * follows it as that person. */
int anythingllm_token_redeem(struct request *req)
{
	const char *token = request_query(req, "token"), *tenant = wire_param(req->wire, "EXEDRA_TENANT");
	const char *session = secret_new_token(req->task.arena, "ses-exd-");
	unsigned char token_hash[32], session_hash[32];
	const char *args[] = {tenant == NULL || *tenant == '\0' ? NULL : tenant, (const char *)token_hash,
		(const char *)session_hash, db_int_arg(req->task.arena, SESSION_S)};
	const int lengths[] = {0, sizeof(token_hash), sizeof(session_hash), 0};
	struct db_call call = {.stmt = &sql_account_redeem_token, .args = args, .n_args = 4, .lengths = lengths};

	token = token == NULL ? "" : token;
	secret_sha256(token, strlen(token), token_hash);
	secret_sha256(session, strlen(session), session_hash);
	if (db_run(&req->task, &call, 1) < 0)
		return -1;
	req->more_headers = "Referrer-Policy: no-referrer\r\n";
	if (strcmp(db_text(call.rows, 0, "outcome"), "done") != 0)
		return reply_json_text(req, 401,
			"{\"valid\":false,\"token\":null,\"message\":\"[001] An error occurred while validating the "
			"token: Invalid token.\"}");
	return reply_json_printf(req, 200, "{\"valid\":true,\"user\":%s,\"token\":\"%s\",\"message\":null}",
		db_text(call.rows, 0, "account"), session);
}
