/* SPDX-License-Identifier: ISC */
#include "web/form.h"

#include <stdio.h>
#include <string.h>

#include "store/secret.h"
#include "web/reply.h"

/* Codes ending in _unknown are ids that do not exist, as far as this caller can know. */
static bool unknown_id(const struct failure *failure)
{
	size_t len = strlen(failure->code);

	return len > 8 && strcmp(failure->code + len - 8, "_unknown") == 0 &&
	       strcmp(failure->code, "key_unknown") != 0 && strcmp(failure->code, "path_unknown") != 0;
}

static bool from_upstream(const struct failure *failure)
{
	return strncmp(failure->code, "upstream_", 9) == 0;
}

/* A good key, but not for this: dressed as a role that is too low. */
static bool about_the_key(const struct failure *failure)
{
	return failure->status == 403 && strncmp(failure->code, "key_", 4) == 0 &&
	       strcmp(failure->code, "key_unknown") != 0;
}

/* What concerns who calls, or the server's state, looks alike on all of AnythingLLM's routes. */
static bool about_the_caller(const struct failure *failure)
{
	if (from_upstream(failure) || strcmp(failure->code, "role_too_low") == 0 || about_the_key(failure))
		return false;
	return failure->status == 401 || failure->status == 403 || failure->status == 429 || failure->status == 503;
}

static void put_abort(struct str *body, const struct failure *failure, struct arena *arena)
{
	str_printf(body,
		"{\"id\":\"%s\",\"type\":\"abort\",\"textResponse\":null,\"sources\":[],\"close\":true,\"error\":",
		secret_new_uuid(arena));
	str_json_text(body, failure->message);
	if (strcmp(failure->code, "embed_quota") == 0)
		str_puts(body,
			",\"errorMsg\":\"The quota for this chat has been reached. Try again later or contact the "
			"site owner.\"");
	str_puts(body, "}");
}

static const char *openai_type(int status)
{
	return status == 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error";
}

/* The codes that OpenAI has for what we call otherwise. */
static const char *public_code(const char *code)
{
	static const char *const names[][2] = {{"key_unknown", "invalid_api_key"}, {"model_unknown", "model_not_found"},
		{"workspace_unknown", "model_not_found"}, {"type_unsupported", "unsupported_media_type"},
		{"method_refused", "method_not_allowed"}};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(code, names[i][0]) == 0)
			return names[i][1];
	return code;
}

/* `detail` beside `error`: readers of Open WebUI's API look there, and SDKs ignore it. */
static void put_openai(struct str *body, const struct failure *failure)
{
	str_puts(body, "{\"error\":{\"message\":");
	str_json_text(body, failure->message);
	str_printf(body, ",\"type\":\"%s\",\"param\":", openai_type(failure->status));
	str_json_text(body, failure->field);
	str_puts(body, ",\"code\":");
	str_json_text(body, public_code(failure->code));
	str_puts(body, "},\"detail\":");
	str_json_text(body, failure->message);
	str_puts(body, "}");
}

/* Where FastAPI finds a value wrong: a list of one. */
static void put_detail(struct str *body, const struct failure *failure)
{
	size_t len = strlen(failure->code);
	bool missing = len > 8 && strcmp(failure->code + len - 8, "_missing") == 0;
	const char *field = failure->field;
	bool query = field != NULL && strncmp(field, "query.", 6) == 0;

	str_puts(body, "{\"detail\":");
	if (failure->status == 422 && field != NULL) {
		str_printf(body, "[{\"type\":\"%s\",\"loc\":[\"%s\",", missing ? "missing" : "value_error",
			query ? "query" : "body");
		str_json_text(body, query ? field + 6 : field);
		str_puts(body, "],\"msg\":");
		str_json_text(body, failure->message);
		str_puts(body, ",\"input\":null}]}");
		return;
	}
	str_json_text(body, failure->message);
	str_puts(body, "}");
}

/* A file or page that cannot be read, as the original tells it; other mistakes it tells without the list. */
static void put_documents(struct str *body, const struct failure *failure)
{
	str_puts(body, "{\"success\":false,\"error\":");
	str_json_text(body, failure->message);
	str_puts(body, failure->status == 422 && failure->field == NULL ? ",\"documents\":[]}" : "}");
}

static void put_member(struct str *body, const char *before, const struct failure *failure)
{
	str_json_member(body, before, failure->message);
	str_puts(body, "}");
}

static void put_body(struct request *req, enum form form, struct str *body)
{
	const struct failure *failure = &req->task.failure;
	bool native_key = form == FORM_NATIVE_OPENAI && strcmp(failure->code, "key_unknown") == 0;

	if (form == FORM_WIDGET)
		put_abort(body, failure, req->task.arena);
	else if (form == FORM_DETAIL)
		put_detail(body, failure);
	else if ((form == FORM_OPENAI || form == FORM_NATIVE_OPENAI) && !native_key)
		put_openai(body, failure);
	else if (about_the_caller(failure) || form == FORM_ERROR || form == FORM_TEXT || native_key)
		put_member(body, "{\"error\":", failure);
	else if (form == FORM_ABORT)
		put_abort(body, failure, req->task.arena);
	else if (form == FORM_USER)
		put_member(body, "{\"user\":null,\"error\":", failure);
	else if (form == FORM_WORKSPACE)
		put_member(body, "{\"workspace\":null,\"message\":", failure);
	else if (form == FORM_MESSAGE)
		put_member(body, "{\"message\":", failure);
	else if (form == FORM_OUTCOME)
		put_member(body, "{\"success\":false,\"message\":", failure);
	else if (form == FORM_DOCUMENTS)
		put_documents(body, failure);
	else
		put_member(body, "{\"success\":false,\"error\":", failure);
}

/* Words and statuses that Open WebUI's clients look for. */
static void translate_detail(const struct request *req, struct failure *failure)
{
	if (strcmp(failure->code, "key_unknown") == 0)
		failure->message = request_key(req) == NULL
					   ? "Not authenticated"
					   : "Your session has expired or the token is invalid. Please sign in again.";
	if (strcmp(failure->code, "model_unknown") == 0) {
		failure->status = 400;
		failure->message = "Model not found";
	}
}

/* Statuses that a dialect has otherwise. */
static void translate(const struct request *req, struct failure *failure, enum form form)
{
	bool openai = form == FORM_OPENAI || form == FORM_NATIVE_OPENAI;

	/* AnythingLLM answers 403 to a bad key, every other dialect 401. */
	if (failure->status == 401 && form != FORM_OPENAI && form != FORM_DETAIL && form != FORM_WIDGET)
		failure->status = 403;
	if (form == FORM_DETAIL)
		translate_detail(req, failure);
	/* A model's failure is 500 on AnythingLLM's chat routes, whatever it was; only 429 tells a client to wait. */
	if ((form == FORM_ABORT || form == FORM_WIDGET) && from_upstream(failure) && failure->status != 429)
		failure->status = 500;
	/* OpenAI's SDKs know a bad value as 400. */
	if (openai && failure->status == 422)
		failure->status = 400;
	if (form == FORM_OPENAI && unknown_id(failure))
		failure->status = 404;
	if (form == FORM_NATIVE_OPENAI && unknown_id(failure) && failure->status != 403)
		failure->status = 401;
}

/* SDKs ask three times when they get a 5xx; these will not be any better then. */
static bool permanent(const struct failure *failure)
{
	static const char *const codes[] = {"upstream_missing", "upstream_sealed", "upstream_forbidden",
		"upstream_model", "embed_missing", "embed_sealed", "embed_forbidden", "embed_model", "embed_dimension",
		"service_missing", "service_sealed", "service_forbidden", "service_model"};
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(failure->code, codes[i]) == 0)
			return true;
	return failure->status == 501;
}

/* What these say stands alone, as text: clients of AnythingLLM take any other 401 for a bad key. */
static bool plain_text(const struct failure *failure)
{
	return strcmp(failure->code, "multi_user_off") == 0 || strcmp(failure->code, "sso_off") == 0;
}

void form_reply(struct request *req)
{
	struct failure *failure = &req->task.failure;
	enum form form = req->route == NULL ? req->form : req->route->form;
	struct str *body = str_new(req->task.arena);

	if (failure->status == 0)
		fail(&req->task, 500, "internal", "Something went wrong here.");
	if (permanent(failure))
		req->more_headers = "X-Should-Retry: false\r\n";
	if (plain_text(failure)) {
		reply_text(req, failure->status, failure->message);
		return;
	}
	translate(req, failure, form);
	if ((form == FORM_TEXT && unknown_id(failure) && failure->status != 403) ||
		(form == FORM_WIDGET && strcmp(failure->code, "embed_unknown") == 0)) {
		reply_reason(req, failure->status);
		return;
	}
	if (form == FORM_NATIVE_OPENAI && failure->status == 401) {
		reply_empty(req, 401);
		return;
	}
	put_body(req, form, body);
	reply_json(req, failure->status, body->at, body->len);
}

void form_reply_bare(struct request *req)
{
	static const char native[] = "{\"error\":\"There is not enough memory for this at the moment.\"}";
	static const char openai[] = "{\"error\":{\"message\":\"There is not enough memory for this at the moment.\","
				     "\"type\":\"server_error\",\"param\":null,\"code\":\"memory\"}}";
	static const char detail[] = "{\"detail\":\"There is not enough memory for this at the moment.\"}";
	enum form form = req->route == NULL ? req->form : req->route->form;
	const char *body = form == FORM_OPENAI || form == FORM_NATIVE_OPENAI ? openai
			   : form == FORM_DETAIL                             ? detail
									     : native;
	char head[200];
	int len = snprintf(head, sizeof(head),
		"Status: 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n"
		"X-Content-Type-Options: nosniff\r\nContent-Length: %zu\r\nRetry-After: 1\r\n\r\n",
		strlen(body));

	req->status = 503;
	wire_write(req->wire, head, (size_t)len);
	if (!req->head)
		wire_write(req->wire, body, strlen(body));
}
