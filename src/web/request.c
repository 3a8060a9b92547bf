/* SPDX-License-Identifier: ISC */
#include "web/request.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"
#include "web/param.h"

/* Percent-decode in place, once.  The new length, or -1: a broken escape, a NUL, no UTF-8. */
static ssize_t decode(char *text, bool plus_is_space)
{
	char *from = text, *to = text;

	while (*from != '\0') {
		if (*from == '%') {
			int high = param_hex(from[1]), low = high < 0 ? -1 : param_hex(from[2]);

			if (low < 0 || (high == 0 && low == 0))
				return -1;
			*to++ = (char)(high << 4 | low);
			from += 3;
		} else {
			*to++ = plus_is_space && *from == '+' ? ' ' : *from;
			from++;
		}
	}
	*to = '\0';
	return utf8_valid(text, (size_t)(to - text)) ? to - text : -1;
}

/* Decode one segment and put it behind the ones before. */
static int add_segment(struct request *req, char *segment)
{
	struct path *path = &req->path;

	if (path->n_segments == ROUTE_MAX_SEGMENTS)
		return fail(&req->task, 404, "path_unknown", "There is nothing at this path.");
	if (decode(segment, false) < 0)
		return fail(&req->task, 400, "path_invalid", "The path holds a broken escape, a NUL or no UTF-8.");
	if (strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
		return fail(&req->task, 400, "path_invalid", "The path holds a dot segment.");
	path->segments[path->n_segments++] = segment;
	return 0;
}

/* Take `text` (a raw path that begins with a slash) apart.  Segments stay where they are, a NUL in place of each slash;
 * decoding only shortens them. */
static int split_path(struct request *req, char *text)
{
	char *at = text + 1;

	for (;;) {
		char *slash = strchr(at, '/');

		if (slash != NULL)
			*slash = '\0';
		if (*at == '\0') {
			/* A slash at the end is accepted; two together are no path of ours. */
			if (slash != NULL)
				return fail(&req->task, 404, "path_unknown", "There is nothing at this path.");
			req->path.slash_at_end = true;
			return 0;
		}
		if (add_segment(req, at) < 0)
			return -1;
		if (slash == NULL)
			return 0;
		at = slash + 1;
	}
}

/* One leading /api is taken off and remembered. */
static void take_api(struct path *path)
{
	if (path->n_segments == 0 || strcmp(path->segments[0], "api") != 0)
		return;
	path->api = true;
	path->n_segments--;
	memmove(path->segments, path->segments + 1, (size_t)path->n_segments * sizeof(path->segments[0]));
}

/* PATH_INFO has been decoded by the web server, and is to be decoded no second time. */
static char *info_path(struct request *req, const char *info)
{
	struct str *path = str_new(req->task.arena);

	for (; *info != '\0'; info++)
		str_puts(path, *info == '%' ? "%25" : (char[]){*info, '\0'});
	return path->at;
}

/* The path as it came, without the prefix under which the web server serves us.  Stock FastCGI parameters name the
 * whole path as SCRIPT_NAME: then nothing would be left, and the whole path is meant. */
static char *raw_path(struct request *req)
{
	const char *uri = wire_param(req->wire, "REQUEST_URI"), *prefix = wire_param(req->wire, "SCRIPT_NAME");
	const char *info = wire_param(req->wire, "PATH_INFO");
	size_t len, prefix_len = prefix == NULL ? 0 : strlen(prefix);

	if (uri == NULL || *uri != '/')
		return info == NULL ? NULL : info_path(req, info);
	len = strcspn(uri, "?#");
	while (prefix_len > 0 && prefix[prefix_len - 1] == '/')
		prefix_len--;
	if (prefix_len > 0 && prefix_len < len && memcmp(uri, prefix, prefix_len) == 0 && uri[prefix_len] == '/')
		return arena_copy(req->task.arena, uri + prefix_len, len - prefix_len);
	if (prefix_len > 0 && (prefix_len > len || memcmp(uri, prefix, prefix_len) != 0) && info != NULL &&
		*info == '/')
		return info_path(req, info);
	return arena_copy(req->task.arena, uri, len);
}

/* A query that cannot be decoded is told at once: a parameter that silently counted as absent could mean anything. */
static int check_query(struct request *req)
{
	char *copy = arena_strdup(req->task.arena, req->query);

	if (decode(copy, true) >= 0)
		return 0;
	return fail(&req->task, 400, "query_invalid", "The query holds a broken escape, a NUL or no UTF-8.");
}

static int read_method(struct request *req)
{
	static const enum method all[] = {GET, POST, PUT, PATCH, DELETE, OPTIONS};
	const char *name = wire_param(req->wire, "REQUEST_METHOD");
	size_t i;

	req->head = name != NULL && strcmp(name, "HEAD") == 0;
	if (req->head)
		name = "GET";
	for (i = 0; name != NULL && i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(name, route_method_name(all[i])) == 0) {
			req->method = all[i];
			return 0;
		}
	return fail(&req->task, 405, "method_unknown", "This method is not known here.");
}

static int read_length(struct request *req)
{
	const char *text = wire_param(req->wire, "CONTENT_LENGTH");
	char *end;

	/* A CGI body without a length is one only when it came in chunks; otherwise there is nothing to wait for. */
	req->body_announced = req->wire->cgi && wire_param(req->wire, "HTTP_TRANSFER_ENCODING") == NULL ? 0 : -1;
	if (text == NULL || *text == '\0')
		return 0;
	errno = 0;
	req->body_announced = strtoll(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0)
		return fail(&req->task, 400, "length_invalid", "Content-Length is not a number of bytes.");
	return 0;
}

int request_read_head(struct request *req)
{
	const char *uri = wire_param(req->wire, "REQUEST_URI"), *query;
	char *path;

	req->query = "";
	if (uri != NULL && (query = strchr(uri, '?')) != NULL)
		req->query = query + 1;
	else if (uri == NULL && (query = wire_param(req->wire, "QUERY_STRING")) != NULL)
		req->query = query;
	if (read_method(req) < 0 || read_length(req) < 0)
		return -1;
	path = raw_path(req);
	if (path == NULL || *path != '/')
		return fail(&req->task, 404, "path_unknown", "There is nothing at this path.");
	if (split_path(req, path) < 0)
		return -1;
	take_api(&req->path);
	return check_query(req);
}

static int too_large(struct request *req, size_t limit)
{
	bool small = limit < 1 << 20;

	return fail(&req->task, 413, "request_too_large", "The body is larger than %zu %s.", limit >> (small ? 10 : 20),
		small ? "KiB" : "MiB");
}

static int incomplete(struct request *req)
{
	return fail(&req->task, 400, "body_incomplete", "The body does not have the length that was announced.");
}

int request_read_pieces(
	struct request *req, size_t limit, int (*take)(void *arg, const char *bytes, size_t len), void *arg)
{
	const char *encoding = wire_param(req->wire, "HTTP_CONTENT_ENCODING");
	char buffer[4096]; /* on the stack of a thread that may hold a stream for long: small */
	size_t taken = 0;
	ssize_t got = 0;

	if (encoding != NULL && *encoding != '\0' && strcasecmp(encoding, "identity") != 0)
		return fail(&req->task, 415, "encoding_unsupported", "A body with Content-Encoding is not accepted.");
	if (req->body_announced > (int64_t)limit)
		return too_large(req, limit);
	while ((req->body_announced < 0 || (int64_t)taken < req->body_announced) &&
		(got = wire_read(req->wire, buffer, sizeof(buffer))) > 0) {
		if (taken + (size_t)got > limit)
			return too_large(req, limit);
		if (take(arg, buffer, (size_t)got) < 0)
			return -1;
		taken += (size_t)got;
	}
	/* CGI ends the body by its length, FastCGI by an empty record. */
	if (got >= 0 && !req->wire->cgi && req->body_announced >= 0)
		got = wire_read(req->wire, buffer, sizeof(buffer));
	if ((got != 0 && !(req->wire->cgi && got > 0)) ||
		(req->body_announced >= 0 && (int64_t)taken != req->body_announced))
		return incomplete(req);
	return 0;
}

static int add_to_body(void *body, const char *bytes, size_t len)
{
	str_add(body, bytes, len);
	return 0;
}

int request_read_body(struct request *req, size_t limit)
{
	struct str *body = str_new(req->task.arena);

	if (request_read_pieces(req, limit, add_to_body, body) < 0)
		return -1;
	req->body = body->at;
	req->body_len = body->len;
	return 0;
}

int request_skip_body(struct request *req)
{
	enum { SKIP_BYTES = 65536 };
	char buffer[4096];
	size_t skipped = 0;
	ssize_t got;

	if (req->wire->cgi || req->body_announced > SKIP_BYTES)
		return 0;
	while ((got = wire_read(req->wire, buffer, sizeof(buffer))) > 0 && skipped <= SKIP_BYTES)
		skipped += (size_t)got;
	return got < 0 ? fail(&req->task, 400, "body_incomplete", "The request broke off.") : 0;
}

/* Whether the declared type lets us take the body for JSON text: said so, said to be some text, or not said. */
static bool may_be_json(const char *type)
{
	size_t len;

	if (type == NULL || *type == '\0')
		return true;
	len = strcspn(type, "; \t");
	return strncasecmp(type, "text/", 5) == 0 || (len == 16 && strncasecmp(type, "application/json", 16) == 0) ||
	       (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0);
}

/* The charset that a type names: where it begins, and its length; NULL: none. */
static const char *charset_of(const char *type, size_t *len)
{
	const char *charset = type == NULL ? NULL : strcasestr(type, "charset=");

	if (charset == NULL)
		return NULL;
	charset += 8 + (charset[8] == '"');
	*len = strcspn(charset, "\"; \t");
	return charset;
}

/* Can what has no byte above 0x7f be read as it stands? */
static bool has_ascii(const char *type)
{
	static const char *const begins[] = {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-", "latin", "windows-125"};
	const char *charset;
	size_t len, i = 0;

	charset = charset_of(type, &len);
	while (charset != NULL && i < sizeof(begins) / sizeof(begins[0]) &&
		strncasecmp(charset, begins[i], strlen(begins[i])) != 0)
		i++;
	return charset == NULL || i < sizeof(begins) / sizeof(begins[0]);
}

static bool is_latin1(const char *type)
{
	size_t len;
	const char *charset = charset_of(type, &len);

	return charset != NULL && ((len == 10 && strncasecmp(charset, "iso-8859-1", 10) == 0) ||
					  (len == 6 && strncasecmp(charset, "latin1", 6) == 0));
}

/* Spring's templates send a text as Latin-1 unless they are told otherwise.  What is UTF-8 all the same stays. */
static void take_latin1(struct request *req, const char *type)
{
	struct str *body;
	size_t i;

	if (!is_latin1(type) || utf8_valid(req->body, req->body_len))
		return;
	body = str_new(req->task.arena);
	for (i = 0; i < req->body_len; i++)
		utf8_put(body, (unsigned char)req->body[i]);
	req->body = body->at;
	req->body_len = body->len;
}

int request_parse_json(struct request *req)
{
	static const char mark[] = "\xEF\xBB\xBF";
	const char *type = wire_param(req->wire, "CONTENT_TYPE");
	size_t at = 0, begin = 0;

	/* RFC 8259 section 8.1 allows it, and readers in JavaScript and Python pass over it. */
	if (req->body_len >= 3 && memcmp(req->body, mark, 3) == 0)
		at = begin = 3;
	while (at < req->body_len && strchr(" \t\r\n", req->body[at]) != NULL && req->body[at] != '\0')
		at++;
	if (at == req->body_len && (req->route->needs & LIST) == 0) {
		req->json = json_read(&req->task, "{}", 2);
		return req->json == NULL ? -1 : 0;
	}
	if (type != NULL && strncasecmp(type, "multipart/", 10) == 0)
		return fail(&req->task, 415, "type_unsupported", "This route takes a JSON object, not multipart.");
	if (req->body[at] != '{' && !may_be_json(type))
		return fail(&req->task, 415, "type_unsupported", "This route takes a JSON object.");
	if (!has_ascii(type))
		return fail(&req->task, 415, "charset_unsupported", "JSON is taken in UTF-8 only.");
	take_latin1(req, type);
	req->json = json_read(&req->task, req->body + begin, req->body_len - begin);
	if (req->json == NULL)
		return -1;
	if ((req->route->needs & LIST) != 0) {
		req->list = req->json;
		return json_object_is_type(req->list, json_type_array)
			       ? 0
			       : fail(&req->task, 422, "json_array", "The body must be a JSON array.");
	}
	if (!json_object_is_type(req->json, json_type_object))
		return fail(&req->task, 400, "json_object", "The body must be a JSON object.");
	return 0;
}

/* What {x...} bound: a model's id may hold slashes. */
static const char *join(struct arena *arena, const struct path_param *param)
{
	struct str *text = str_new(arena);
	int i;

	for (i = 0; i < param->n_rest; i++)
		str_printf(text, "%s%s", i == 0 ? "" : "/", param->rest[i]);
	return text->at;
}

const char *request_param(const struct request *req, const char *name)
{
	size_t len = strlen(name);
	int i;

	for (i = 0; i < ROUTE_MAX_PARAMS && req->params[i].name != NULL; i++)
		if (req->params[i].name_len == len && memcmp(req->params[i].name, name, len) == 0)
			return req->params[i].n_rest > 1 ? join(req->task.arena, &req->params[i])
							 : req->params[i].value;
	return NULL;
}

const char *request_id(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < 19 && *text != '0' && text[strspn(text, "0123456789")] == '\0' ? text : "0";
}

const char *request_query(struct request *req, const char *name)
{
	const char *at = req->query;
	size_t name_len = strlen(name);

	while (*at != '\0') {
		size_t len = strcspn(at, "&");

		if (len >= name_len && memcmp(at, name, name_len) == 0 && (len == name_len || at[name_len] == '=')) {
			char *value = arena_copy(req->task.arena, len == name_len ? "" : at + name_len + 1,
				len == name_len ? 0 : len - name_len - 1);

			return decode(value, true) < 0 ? NULL : value;
		}
		at += len + (at[len] == '&');
	}
	return NULL;
}

/* The cookie `token` of a page that has signed in. */
static const char *cookie_token(const struct request *req)
{
	const char *at = wire_param(req->wire, "HTTP_COOKIE");

	while (at != NULL && *at != '\0') {
		at += strspn(at, "; ");
		if (strncmp(at, "token=", 6) == 0)
			return arena_copy(req->task.arena, at + 6, strcspn(at + 6, "; "));
		at = strchr(at, ';');
	}
	return NULL;
}

const char *request_key(const struct request *req)
{
	const char *header = wire_param(req->wire, "HTTP_AUTHORIZATION"), *space;

	if (header != NULL && *header != '\0') {
		space = strchr(header, ' ');
		return space == NULL || space[1] == '\0' ? NULL : space + 1;
	}
	header = wire_param(req->wire, "HTTP_X_API_KEY");
	if (header == NULL || *header == '\0')
		header = wire_param(req->wire, "HTTP_API_KEY");
	if (header == NULL || *header == '\0')
		header = cookie_token(req);
	return header == NULL || *header == '\0' ? NULL : header;
}
