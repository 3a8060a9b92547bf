/* SPDX-License-Identifier: ISC
 * From the web server's parameters to segments: each is text of its own, decoded once, and written anew gives the same
 * path; what the table finds for it fits.  An input is the parameters, NAME=value in lines; `q` is looked up in the
 * query. */
#include "web/request.h"

#include "base/utf8.h"
#include "fuzz.h"

enum { MAX_LINES = 20 };

static const struct route table[] = {
	{GET, "/", ANYONE, 0, 0, FORM_ERROR, NULL, ""},
	{GET, "/v1/auth", ANYONE, 0, 0, FORM_ERROR, NULL, ""},
	{GET | POST, "/v1/workspace/{slug}", ANYONE, 0, 0, FORM_ERROR, NULL, ""},
	{DELETE, "/v1/workspace/{slug}", ANYONE, 0, 0, FORM_ERROR, NULL, ""},
	{POST, "/v1/workspace/{slug}/thread/{threadSlug}/chat", ANYONE, 0, 0, FORM_ERROR, NULL, ""},
	{GET, "/v1/models/{id...}", ANYONE, 0, 0, FORM_ERROR, NULL, ""},
	{GET, "/v1/files", ANYONE, 0, 0, FORM_ERROR, NULL, ""},
	{GET, "/v1/files/", ANYONE, 0, 0, FORM_ERROR, NULL, ""},
	{0, NULL, NOBODY, 0, 0, FORM_ERROR, NULL, NULL},
};

static void open_request(struct request *req, struct wire *wire, struct arena *arena, char **params)
{
	memset(wire, 0, sizeof(*wire));
	wire->cgi = true;
	wire->params = params;
	memset(req, 0, sizeof(*req));
	req->task.arena = arena;
	req->wire = wire;
}

static void check_segments(const struct path *path)
{
	must(path->n_segments >= 0 && path->n_segments <= ROUTE_MAX_SEGMENTS);
	for (int i = 0; i < path->n_segments; i++) {
		const char *segment = path->segments[i];

		must(segment[0] != '\0' && utf8_valid(segment, strlen(segment)));
		must(strcmp(segment, ".") != 0 && strcmp(segment, "..") != 0);
	}
}

/* The path again, every byte of it escaped. */
static struct str *write_path(struct arena *arena, const struct path *path)
{
	struct str *out = str_new(arena);

	if (path->api)
		str_puts(out, "/api");
	for (int i = 0; i < path->n_segments; i++) {
		str_putc(out, '/');
		for (const char *at = path->segments[i]; *at != '\0'; at++)
			str_printf(out, "%%%02X", (unsigned char)*at);
	}
	if (path->slash_at_end)
		str_putc(out, '/');
	return out;
}

static void check_written(struct arena *arena, const struct path *path)
{
	char *params[] = {"REQUEST_METHOD=GET", NULL, NULL};
	struct request req;
	struct wire wire;

	params[1] = arena_printf(arena, "REQUEST_URI=%s", write_path(arena, path)->at);
	open_request(&req, &wire, arena, params);
	must(request_read_head(&req) == 0);
	must(req.path.api == path->api && req.path.slash_at_end == path->slash_at_end);
	must(req.path.n_segments == path->n_segments);
	for (int i = 0; i < path->n_segments; i++)
		must(strcmp(req.path.segments[i], path->segments[i]) == 0);
}

/* Walk the row's pattern and the path side by side. */
static void check_fits(struct request *req, const char *pattern)
{
	const struct path *path = &req->path;
	int at = 0;

	while (*pattern == '/' && pattern[1] != '\0') {
		size_t len = strcspn(++pattern, "/");
		char *name = arena_copy(req->task.arena, pattern, len);
		const char *value;

		must(at < path->n_segments);
		if (name[0] != '{') {
			must(strcmp(name, path->segments[at]) == 0);
		} else {
			name[strcspn(name, ".}")] = '\0';
			value = request_param(req, name + 1);
			must(value != NULL);
			if (strstr(pattern, "...}") != NULL) {
				must(strncmp(value, path->segments[at], strlen(path->segments[at])) == 0);
				return;
			}
			must(strcmp(value, path->segments[at]) == 0);
		}
		at++;
		pattern += len;
	}
	must(at == path->n_segments && (*pattern == '\0' || path->slash_at_end));
}

static void check_route(struct request *req)
{
	int allowed = 0, other = 0;
	struct path_param unused[ROUTE_MAX_PARAMS];

	req->route = route_find(table, req->method, &req->path, req->params, &allowed);
	if (req->route == NULL) {
		must((allowed & (int)req->method) == 0);
		/* what is said to be allowed is found */
		for (int method = GET; method <= OPTIONS; method *= 2)
			must(((allowed & method) != 0) ==
				(route_find(table, (enum method)method, &req->path, unused, &other) != NULL));
		return;
	}
	must((req->route->method & req->method) != 0);
	check_fits(req, req->route->pattern);
}

/* A parameter that is there is found and decoded: what could not be has been refused with the head. */
static void check_query(struct request *req)
{
	const char *value = request_query(req, "q");
	bool there = strncmp(req->query, "q=", 2) == 0 || strstr(req->query, "&q=") != NULL;

	must(value == NULL || utf8_valid(value, strlen(value)));
	must(!there || value != NULL);
	must(request_query(req, "") == NULL || strstr(req->query, "&") != NULL || req->query[0] == '=');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *at = (const char *)bytes, *end = at + len, *line;
	struct arena *arena = arena_new();
	char *params[MAX_LINES + 1];
	struct request req;
	struct wire wire;
	int n_params = 0;
	size_t n = 0;

	while (n_params < MAX_LINES && (line = next_line(&at, end, &n)) != NULL)
		params[n_params++] = arena_copy(arena, line, n);
	params[n_params] = NULL;
	open_request(&req, &wire, arena, params);
	if (request_read_head(&req) < 0) {
		must(req.task.failure.status == 400 || req.task.failure.status == 404 ||
			req.task.failure.status == 405);
		must(req.task.failure.code != NULL &&
			utf8_valid(req.task.failure.message, strlen(req.task.failure.message)));
	} else {
		must(req.body_announced >= -1);
		check_segments(&req.path);
		check_written(arena, &req.path);
		check_route(&req);
		check_query(&req);
	}
	arena_free(arena);
	return 0;
}
