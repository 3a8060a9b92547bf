/* SPDX-License-Identifier: ISC
 * Signing in and out, and the one key that a person makes for themselves. */
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "base/field.h"
#include "core/password.h"
#include "store/db.h"
#include "store/secret.h"
#include "web/param.h"
#include "web/reply.h"

enum {
	SESSION_S = 28 * 86400, /* as Open WebUI's JWT_EXPIRES_IN */
	PASSWORD_LEAST = 8,
	PASSWORD_MOST = 250,
	HINT = 4
};

#define WRONG "The email or password provided is incorrect. Please check for typos and try logging in again."

/* Open WebUI knows admin, user and pending. */
static const char *role_of(int role)
{
	return role >= ADMIN ? "admin" : "user";
}

/* The session object; `token` is what the caller may use, `ends` Unix seconds or NULL. */
static int reply_session(struct request *req, const char *id, const char *name, int role, const char *token,
	const char *ends, const char *more)
{
	struct str *out = str_new(req->task.arena);

	str_json_member(out, "{\"id\":", id);
	str_json_member(out, ",\"name\":", name);
	str_printf(out, ",\"role\":\"%s\"", role_of(role));
	str_json_member(out, ",\"email\":", name);
	str_puts(out, ",\"profile_image_url\":\"/user.png\"");
	str_json_member(out, ",\"token\":", token);
	str_printf(out,
		",\"token_type\":\"Bearer\",\"expires_at\":%s,\"permissions\":{\"workspace\":{},\"sharing\":{},"
		"\"chat\":{},\"features\":{}}%s}",
		ends == NULL ? "null" : ends, more);
	return reply_json(req, 200, out->at, out->len);
}

static void set_cookie(struct request *req, const char *value, int seconds)
{
	const char *https = wire_param(req->wire, "HTTPS");

	req->more_headers = arena_printf(req->task.arena,
		"Set-Cookie: token=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s\r\n", value, seconds,
		https != NULL && strcmp(https, "on") == 0 ? "; Secure" : "");
}

static int read_pair(struct request *req, const char *first, const char *second, const char **a, const char **b)
{
	*a = *b = NULL;
	if (field_text(&req->task, req->json, first, a) < 0 || field_text(&req->task, req->json, second, b) < 0)
		return -1;
	if (*a == NULL || *b == NULL)
		return fail_field(&req->task, 422, "field_missing", *a == NULL ? first : second, "Field required");
	return 0;
}

static int open_session(struct request *req, PGresult *who, const char *name)
{
	struct arena *arena = req->task.arena;
	const char *token = secret_new_token(arena, "ses-exd-");
	unsigned char hash[32];
	const char *args[] = {db_text(who, 0, "tenant_id"), db_text(who, 0, "account_id"), db_text(who, 0, "password"),
		(const char *)hash, db_int_arg(arena, SESSION_S)};
	const int lengths[] = {0, 0, 0, sizeof(hash), 0};
	struct db_call call = {.stmt = &sql_account_open_session, .args = args, .n_args = 5, .lengths = lengths};

	secret_sha256(token, strlen(token), hash);
	if (db_run(&req->task, &call, 1) < 0)
		return -1;
	if (db_text(call.rows, 0, "ends") == NULL) /* it was changed while it was being compared */
		return fail(&req->task, 400, "sign_in_refused", WRONG);
	set_cookie(req, token, SESSION_S);
	return reply_session(req, args[1], name, (int)db_int(who, 0, "role"), token, db_text(call.rows, 0, "ends"), "");
}

static int too_often(struct request *req)
{
	req->task.failure.retry_after_s = 180;
	return fail(&req->task, 429, "sign_in_limit", "API rate limit exceeded");
}

static PGresult *begin_as(struct request *req, const char *name)
{
	const char *tenant = wire_param(req->wire, "EXEDRA_TENANT");

	return db_rows(
		&req->task, &sql_account_begin_sign_in, ARGS(tenant == NULL || *tenant == '\0' ? NULL : tenant, name));
}

/* Of the name as it stands, or else in small letters, as the API makes names and Open WebUI looks for them: keyboards
 * begin with a capital. */
static PGresult *begin(struct request *req, const char **email)
{
	struct str *small = str_new(req->task.arena);
	PGresult *who = begin_as(req, *email);

	param_put_lower(small, *email, strlen(*email));
	if (who == NULL || db_text(who, 0, "account_id") != NULL || db_int(who, 0, "role") < 0 ||
		strcmp(small->at, *email) == 0)
		return who;
	*email = small->at;
	return begin_as(req, *email);
}

int openwebui_sign_in(struct request *req)
{
	const char *email, *password;
	PGresult *who;
	int fits;

	if (read_pair(req, "email", "password", &email, &password) < 0)
		return -1;
	who = begin(req, &email);
	if (who == NULL)
		return -1;
	if (db_int(who, 0, "role") < 0)
		return too_often(req);
	/* An empty password is none; a name that there is not takes as long as a wrong password. */
	fits = password_fits(&req->task, db_text(who, 0, "password"), password);
	if (fits < 0)
		return -1;
	if (fits == 0 || *password == '\0') {
		if (db_rows(&req->task, &sql_account_refuse_sign_in,
			    ARGS(db_text(who, 0, "tenant_id"), db_text(who, 0, "account_id"))) == NULL)
			return -1;
		return fail(&req->task, 400, "sign_in_refused", WRONG);
	}
	return open_session(req, who, email);
}

int openwebui_sign_up(struct request *req)
{
	return fail(&req->task, 403, "sign_up_closed",
		"You do not have permission to access this resource. Please contact your administrator for "
		"assistance.");
}

static PGresult *show_account(struct request *req)
{
	const char *args[] = {(const char *)req->task.identity.key_hash};
	const int lengths[] = {sizeof(req->task.identity.key_hash)};
	struct db_call call = {.stmt = &sql_account_show, .args = args, .n_args = 1, .lengths = lengths};

	return db_run(&req->task, &call, 1) < 0 ? NULL : call.rows;
}

static PGresult *own_account(struct request *req)
{
	PGresult *rows = show_account(req);

	if (rows != NULL && PQntuples(rows) == 0) {
		fail(&req->task, 403, "account_missing", "This key belongs to no account.");
		return NULL;
	}
	return rows;
}

/* What Open WebUI knows of a person besides. */
static const char *person(struct request *req, const char *bio)
{
	struct str *out = str_new(req->task.arena);

	str_json_member(out, ",\"bio\":", bio == NULL || *bio == '\0' ? NULL : bio);
	str_puts(out, ",\"gender\":null,\"date_of_birth\":null,\"status_emoji\":null,\"status_message\":null,"
		      "\"status_expires_at\":null");
	return out->at;
}

int openwebui_session(struct request *req)
{
	PGresult *rows = show_account(req);
	const char *key = request_key(req);

	if (rows == NULL)
		return -1;
	/* A tenant's own key is nobody's: it acts as the administrator. */
	if (PQntuples(rows) == 0)
		return reply_session(req, "", "", ADMIN, key, NULL, person(req, NULL));
	return reply_session(req, db_text(rows, 0, "id"), db_text(rows, 0, "username"), (int)db_int(rows, 0, "role"),
		key, db_text(rows, 0, "ends"), person(req, db_text(rows, 0, "bio")));
}

int openwebui_sign_out(struct request *req)
{
	const char *args[] = {(const char *)req->task.identity.key_hash};
	const int lengths[] = {sizeof(req->task.identity.key_hash)};
	struct db_call call = {.stmt = &sql_account_close_session, .args = args, .n_args = 1, .lengths = lengths};

	if (db_run(&req->task, &call, 1) < 0)
		return -1;
	set_cookie(req, "", 0);
	return reply_json_text(req, 200, "{\"status\":true}");
}

/* ---- the own key ---- */

static int replace_key(struct request *req, const char *key)
{
	unsigned char hash[32];
	const char *args[] = {key == NULL ? NULL : (const char *)hash, key == NULL ? "" : key + strlen(key) - HINT};
	const int lengths[] = {key == NULL ? 0 : (int)sizeof(hash), 0};
	struct db_call call = {.stmt = &sql_account_replace_key, .args = args, .n_args = 2, .lengths = lengths};

	if (key != NULL)
		secret_sha256(key, strlen(key), hash);
	if (db_run(&req->task, &call, 1) < 0)
		return -1;
	return db_true(call.rows, 0, "done")
		       ? 0
		       : fail(&req->task, 403, "account_missing", "This key belongs to no account.");
}

int openwebui_key_new(struct request *req)
{
	const char *key = secret_new_token(req->task.arena, "sk-exd-");

	return replace_key(req, key) < 0 ? -1 : reply_json_printf(req, 200, "{\"api_key\":\"%s\"}", key);
}

int openwebui_key_show(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_account_own_key, NO_ARGS);

	if (rows == NULL)
		return -1;
	if (db_text(rows, 0, "hint") == NULL)
		return fail(&req->task, 404, "key_missing",
			"Oops! It looks like there's a hiccup. The API key is missing. Please make sure to provide a "
			"valid API key to "
			"access this feature.");
	return reply_json_printf(req, 200, "{\"api_key\":\"sk-exd-...%s\"}", db_text(rows, 0, "hint"));
}

int openwebui_key_delete(struct request *req)
{
	return replace_key(req, NULL) < 0 ? -1 : reply_json_text(req, 200, "true");
}

/* Whoever got hold of a key must not find the password by it, and with that a session that may more. */
static int check_password(struct request *req, PGresult *account, const char *password)
{
	PGresult *tried = db_rows(&req->task, &sql_account_try_password, NO_ARGS);
	int fits;

	if (tried == NULL)
		return -1;
	if (!db_true(tried, 0, "may"))
		return too_often(req);
	fits = password_fits(&req->task, db_text(account, 0, "password"), password);
	if (fits != 0)
		return fits < 0 ? -1 : 0;
	if (db_rows(&req->task, &sql_event_note,
		    ARGS("session.refuse", db_text(account, 0, "id"), db_text(account, 0, "username"), "{}")) == NULL)
		return -1;
	return fail(&req->task, 400, "sign_in_refused",
		"The password provided is incorrect. Please check for typos and try again.");
}

int openwebui_password(struct request *req)
{
	const char *old, *new;
	PGresult *rows;

	if (read_pair(req, "password", "new_password", &old, &new) < 0 || (rows = own_account(req)) == NULL ||
		check_password(req, rows, old) < 0)
		return -1;
	if (strlen(new) < PASSWORD_LEAST || strlen(new) > PASSWORD_MOST)
		return fail_field(
			&req->task, 400, "user_refused", "new_password", "A password has 8 to 250 characters.");
	new = password_hash(&req->task, new);
	if (new == NULL || db_rows(&req->task, &sql_account_set_password, ARGS(new)) == NULL)
		return -1;
	set_cookie(req, "", 0); /* the session has ended with the old password */
	return reply_json_text(req, 200, "true");
}
