/* SPDX-License-Identifier: ISC */
#include "web/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static const char *reason_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {{200, "OK"}, {204, "No Content"}, {400, "Bad Request"}, {401, "Unauthorized"},
		{403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"}, {409, "Conflict"}, {410, "Gone"},
		{413, "Content Too Large"}, {415, "Unsupported Media Type"}, {422, "Unprocessable Content"},
		{429, "Too Many Requests"}, {500, "Internal Server Error"}, {501, "Not Implemented"},
		{502, "Bad Gateway"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"}};
	size_t i;

	for (i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}

/* Is `origin` one of the words of the list? */
static bool in_list(const char *list, const char *origin)
{
	size_t len = strlen(origin);
	const char *at = list;

	while (*at != '\0') {
		size_t word = strcspn(at, " ");

		if (word == len && memcmp(at, origin, len) == 0)
			return true;
		at += word + (at[word] == ' ');
	}
	return false;
}

/* Which pages may read the answer.  Keys are sent by scripts, never by the browser itself, so no credentials. */
static const char *allowed_origin(const struct request *req)
{
	const char *origin = wire_param(req->wire, "HTTP_ORIGIN"), *list = req->config->cors_origins;

	if (req->route != NULL && (req->route->needs & WIDGET) != 0)
		return req->reader;
	if (list == NULL)
		return NULL;
	if (strcmp(list, "*") == 0)
		return "*";
	return origin != NULL && in_list(list, origin) ? origin : NULL;
}

static void put_cors(const struct request *req, struct str *head)
{
	const char *origin = allowed_origin(req);

	if (origin != NULL)
		str_printf(head,
			"Access-Control-Allow-Origin: %s\r\nAccess-Control-Expose-Headers: X-Request-Id, "
			"Retry-After, X-Should-Retry\r\n",
			origin);
	if (origin == NULL || *origin != '*')
		str_puts(head, "Vary: Origin\r\n");
}

/* The row wants a role, and the handler has asked nobody whether the key is good: nobody may read the answer. */
static bool is_unentered(const struct request *req, int status)
{
	return status < 400 && req->task.identity.entry == ENTER_BY_KEY && req->task.identity.tenant_id == 0;
}

static void refuse_unentered(struct request *req)
{
	static const char head[] = "Status: 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

	log_event(LOG_ERROR, &req->task, "unentered", "route=\"%s\" problem=\"the key was never looked up\"",
		req->route->pattern);
	req->status = 500;
	wire_write(req->wire, head, sizeof(head) - 1);
	wire_cut(req->wire);
}

void reply_head(struct request *req, int status, const char *type, int64_t length, const char *more_headers)
{
	struct str *head = str_new(req->task.arena);

	if (is_unentered(req, status)) {
		refuse_unentered(req);
		return;
	}
	str_printf(head, "Status: %d %s\r\n", status, reason_phrase(status));
	if (type != NULL)
		str_printf(head, "Content-Type: %s\r\nX-Content-Type-Options: nosniff\r\n", type);
	if (length >= 0)
		str_printf(head, "Content-Length: %lld\r\n", (long long)length);
	str_printf(head, "X-Request-Id: %s\r\n", req->task.id);
	/* Caches know that what a bearer asks for is theirs alone; of x-api-key and of a cookie they need not. */
	if (more_headers == NULL || strstr(more_headers, "Cache-Control:") == NULL)
		str_puts(head, "Cache-Control: no-store\r\n");
	put_cors(req, head);
	if (req->task.failure.retry_after_s > 0)
		str_printf(head, "Retry-After: %d\r\n", req->task.failure.retry_after_s);
	if (req->more_headers != NULL)
		str_puts(head, req->more_headers);
	if (more_headers != NULL)
		str_puts(head, more_headers);
	str_puts(head, "\r\n");
	req->status = status; /* not before: what runs out of memory above has not answered */
	wire_write(req->wire, head->at, head->len);
}

static int whole(struct request *req, int status, const char *type, const char *body, size_t len)
{
	reply_head(req, status, type, (int64_t)len, NULL);
	if (!req->head)
		wire_write(req->wire, body, len);
	return 0;
}

int reply_json(struct request *req, int status, const char *json, size_t len)
{
	return whole(req, status, "application/json; charset=utf-8", json, len);
}

int reply_json_text(struct request *req, int status, const char *json)
{
	return reply_json(req, status, json, strlen(json));
}

int reply_json_printf(struct request *req, int status, const char *format, ...)
{
	char *json;
	va_list args;

	va_start(args, format);
	json = arena_vprintf(req->task.arena, format, args);
	va_end(args);
	return reply_json_text(req, status, json);
}

int reply_text(struct request *req, int status, const char *text)
{
	return whole(req, status, "text/plain; charset=utf-8", text, strlen(text));
}

int reply_reason(struct request *req, int status)
{
	return reply_text(req, status, reason_phrase(status));
}

int reply_empty(struct request *req, int status)
{
	reply_head(req, status, NULL, status == 204 ? -1 : 0, NULL);
	return 0;
}

/* A header's value that we send back: one line, no surprises. */
static bool plain_list(const char *text)
{
	return strlen(text) < 1024 &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, ")] == '\0';
}

const char *reply_method_list(struct arena *arena, int methods)
{
	static const enum method all[] = {GET, POST, PUT, PATCH, DELETE};
	struct str *list = str_new(arena);
	size_t i;

	str_puts(list, "OPTIONS");
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if ((methods & (int)all[i]) != 0)
			str_printf(list, ", %s", route_method_name(all[i]));
	return list->at;
}

int reply_preflight(struct request *req, int allowed_methods)
{
	const char *wanted = wire_param(req->wire, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS");
	struct str *more = str_new(req->task.arena);

	str_printf(more, "Access-Control-Allow-Methods: %s\r\nAccess-Control-Max-Age: 600\r\n",
		reply_method_list(req->task.arena, allowed_methods));
	if (wanted != NULL && plain_list(wanted))
		str_printf(more, "Access-Control-Allow-Headers: %s\r\n", wanted);
	reply_head(req, 204, NULL, -1, allowed_origin(req) == NULL ? NULL : more->at);
	return 0;
}
