/* SPDX-License-Identifier: ISC */
#include "web/route.h"

#include <string.h>

#include "base/str.h"

/* One segment of a pattern. */
struct piece {
	const char *at;
	size_t len;
	bool binds, tail;
};

/* The next segment of a pattern; false at its end. */
static bool next_piece(const char **pattern, struct piece *piece)
{
	const char *at = *pattern;

	if (*at != '/')
		return false;
	piece->at = ++at;
	piece->len = strcspn(at, "/");
	piece->binds = *at == '{';
	piece->tail = piece->binds && piece->len > 5 && memcmp(at + piece->len - 4, "...}", 4) == 0;
	*pattern = at + piece->len;
	return true;
}

static void bind(struct path_param *param, const struct piece *piece, const char *value)
{
	param->name = piece->at + 1;
	param->name_len = piece->len - (piece->tail ? 5 : 2);
	param->value = value;
}

static bool fits(const char *pattern, const struct path *path, struct path_param *params)
{
	struct piece piece;
	int at = 0, n_params = 0;

	memset(params, 0, ROUTE_MAX_PARAMS * sizeof(*params));
	while (next_piece(&pattern, &piece)) {
		if (piece.len == 0) /* the row's own trailing slash */
			return at == path->n_segments && path->slash_at_end;
		if (at >= path->n_segments)
			return false;
		if (!piece.binds) {
			if (strlen(path->segments[at]) != piece.len ||
				memcmp(path->segments[at], piece.at, piece.len) != 0)
				return false;
		} else if (n_params < ROUTE_MAX_PARAMS) {
			bind(&params[n_params++], &piece, path->segments[at]);
		}
		if (piece.tail) {
			params[n_params - 1].rest = path->segments + at;
			params[n_params - 1].n_rest = path->n_segments - at;
			return true;
		}
		at++;
	}
	return at == path->n_segments;
}

const struct route *route_find(
	const struct route *table, enum method method, const struct path *path, struct path_param *params, int *allowed)
{
	const struct route *row;

	*allowed = 0;
	for (row = table; row->pattern != NULL; row++) {
		if (((row->method & method) == 0 && (*allowed & row->method) != 0) || !fits(row->pattern, path, params))
			continue;
		if ((row->method & method) != 0)
			return row;
		*allowed |= (int)row->method;
	}
	return NULL;
}

const char *route_method_name(enum method method)
{
	switch (method) {
	case GET:
		return "GET";
	case POST:
		return "POST";
	case PUT:
		return "PUT";
	case PATCH:
		return "PATCH";
	case DELETE:
		return "DELETE";
	case OPTIONS:
		return "OPTIONS";
	}
	return "?";
}

const char *route_form_name(enum form form)
{
	static const char *const names[] = {"error", "text", "message", "workspace", "user", "success", "documents",
		"outcome", "abort", "widget", "openai", "detail", "native-openai"};

	return names[form];
}

const char *route_group_name(enum group group)
{
	static const char *const names[] = {"", "open", "account", "admin", "chat", "documents", "embed", "embeddings",
		"models", "search", "system", "users", "workspaces"};

	return names[group];
}

const char *route_needs_text(struct arena *arena, int needs)
{
	static const struct {
		int need;
		const char *name;
	} names[] = {{BODY, "body"}, {LARGE_BODY, "large-body"}, {STREAM, "stream"}, {WRITES, "writes"},
		{NEEDS_NO_DB, "no-database"}, {LIST, "list"}, {WIDGET, "widget"}, {UPLOAD, "upload"},
		{MULTI_USER, "multi-user"}, {READS, "reads"}};
	struct str *text = str_new(arena);
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((needs & names[i].need) != 0)
			str_printf(text, "%s%s", text->len > 0 ? "," : "", names[i].name);
	return text->len == 0 ? "-" : text->at;
}
