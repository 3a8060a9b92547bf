/* SPDX-License-Identifier: ISC
 * Embeds as their administrators see them: chats in web pages, and what visitors have asked there. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/field.h"
#include "base/url.h"
#include "store/db.h"
#include "web/reply.h"

enum { MOST_ORIGINS = 200, BATCH = 200 };

/* ---- what may be set ---- */

struct members {
	struct request *req;
	struct str *out; /* columns of exedra.embed as a JSON object */
};

static void put_name(struct members *m, const char *column)
{
	str_printf(m->out, "%s\"%s\":", m->out->len > 1 ? "," : "", column);
}

/* A web origin as browsers write it: scheme, host in ASCII, and the port where it is not the scheme's.  NULL when the
 * text is none. */
static const char *origin_of(struct arena *arena, const char *text, size_t len)
{
	char *copy, *at;
	struct url url;
	bool usual;

	while (len > 0 && isspace((unsigned char)*text))
		text++, len--;
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	copy = arena_copy(arena, text, len);
	if (strstr(copy, "://") == NULL)
		copy = arena_printf(arena, "https://%s", copy);
	if (url_read(arena, copy, &url) < 0 || url.credentials)
		return NULL;
	usual = url.port == (strcmp(url.scheme, "https") == 0 ? 443 : 80);
	copy = usual ? arena_printf(arena, "%s://%s", url.scheme, url.ascii_host)
		     : arena_printf(arena, "%s://%s:%d", url.scheme, url.ascii_host, url.port);
	for (at = copy; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	return copy;
}

static bool blank(const char *text, size_t len)
{
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	return len == 0;
}

/* Texts between commas.  What is no origin is left out; a list of which nothing is left lets nobody in. */
static int put_origins_of(struct members *m, const char *text, int *n)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		const char *origin = blank(text, len) ? NULL : origin_of(m->req->task.arena, text, len);

		if (origin != NULL && ++*n > MOST_ORIGINS)
			return fail_field(&m->req->task, 422, "field_range", "allowlist_domains",
				"allowlist_domains holds more than %d origins.", MOST_ORIGINS);
		if (origin != NULL) {
			str_puts(m->out, *n == 1 ? "" : ",");
			str_json_text(m->out, origin);
		}
		text += len + (text[len] == ',');
	}
	return 0;
}

static int take_origins(struct members *m)
{
	struct json_object *value = field_get(m->req->json, "allowlist_domains");
	bool text = json_object_is_type(value, json_type_string);
	size_t i, n_items = 0;
	int n = 0;

	if (!field_given(m->req->json, "allowlist_domains"))
		return 0;
	if (value != NULL && !text && !json_object_is_type(value, json_type_array))
		return field_refuse(&m->req->task, "allowlist_domains", "origins, separated by commas");
	put_name(m, "origins");
	if (!text && value != NULL)
		n_items = json_object_array_length(value);
	if (text ? blank(json_object_get_string(value), (size_t)json_object_get_string_len(value)) : n_items == 0) {
		str_puts(m->out, "null");
		return 0;
	}
	str_putc(m->out, '[');
	if (text && put_origins_of(m, json_object_get_string(value), &n) < 0)
		return -1;
	for (i = 0; i < n_items; i++) {
		struct json_object *item = json_object_array_get_idx(value, i);

		if (!json_object_is_type(item, json_type_string))
			return field_refuse(&m->req->task, "allowlist_domains", "a list of origins");
		if (put_origins_of(m, json_object_get_string(item), &n) < 0)
			return -1;
	}
	str_putc(m->out, ']');
	return 0;
}

/* true is true, and nothing else is. */
static void take_switch(struct members *m, const char *field, const char *column)
{
	struct json_object *value = field_get(m->req->json, field);

	if (!field_given(m->req->json, field))
		return;
	put_name(m, column);
	str_puts(m->out,
		json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value) ? "true" : "false");
}

/* A number above 0, or a text that is one; anything else is no limit. */
static void take_limit(struct members *m, const char *field, const char *column)
{
	struct json_object *value = field_get(m->req->json, field);
	double number = 0;
	char *end;

	if (!field_given(m->req->json, field))
		return;
	if (json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double))
		number = json_object_get_double(value);
	if (json_object_is_type(value, json_type_string)) {
		number = strtod(json_object_get_string(value), &end);
		if (*end != '\0')
			number = 0;
	}
	put_name(m, column);
	if (number >= 1)
		str_printf(m->out, "%d", number > 2147483647 ? 2147483647 : (int)number);
	else
		str_puts(m->out, "null");
}

static void take_mode(struct members *m)
{
	struct json_object *value = field_get(m->req->json, "chat_mode");
	bool chat = json_object_is_type(value, json_type_string) && strcmp(json_object_get_string(value), "chat") == 0;

	if (!field_given(m->req->json, "chat_mode"))
		return;
	put_name(m, "chat_mode");
	str_puts(m->out, chat ? "\"chat\"" : "\"query\"");
}

static int take_members(struct members *m)
{
	str_putc(m->out, '{');
	if (take_origins(m) < 0)
		return -1;
	take_mode(m);
	take_switch(m, "allow_model_override", "takes_model");
	take_switch(m, "allow_temperature_override", "takes_temperature");
	take_switch(m, "allow_prompt_override", "takes_prompt");
	take_limit(m, "max_chats_per_day", "daily_limit");
	take_limit(m, "max_chats_per_session", "session_limit");
	take_limit(m, "message_limit", "history_length");
	return 0;
}

/* What only a change may say. */
static int take_changes(struct members *m)
{
	struct json_object *room = field_get(m->req->json, "workspace_id");
	bool enabled = false;

	if (room != NULL && !json_object_is_type(room, json_type_int))
		return field_refuse(&m->req->task, "workspace_id", "a whole number");
	if (room != NULL) {
		put_name(m, "workspace_id");
		str_puts(m->out, json_object_get_string(room));
	}
	if (field_get(m->req->json, "enabled") == NULL)
		return 0;
	if (field_bool(&m->req->task, m->req->json, "enabled", &enabled) < 0)
		return -1;
	put_name(m, "enabled");
	str_puts(m->out, enabled ? "true" : "false");
	return 0;
}

/* ---- the routes ---- */

static int embed_unknown(struct request *req)
{
	return fail(&req->task, 404, "embed_unknown", "Embed not found");
}

int anythingllm_embed_list(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_embed_list, NO_ARGS);

	return rows == NULL ? -1 : reply_json_printf(req, 200, "{\"embeds\":%s}", PQgetvalue(rows, 0, 0));
}

int anythingllm_embed_new(struct request *req)
{
	struct members m = {req, str_new(req->task.arena)};
	const char *slug = NULL;
	PGresult *rows;

	if (field_text(&req->task, req->json, "workspace_slug", &slug) < 0)
		return -1;
	if (slug == NULL || *slug == '\0')
		return fail_field(&req->task, 400, "workspace_missing", "workspace_slug", "Workspace slug is required");
	if (take_members(&m) < 0)
		return -1;
	str_putc(m.out, '}');
	rows = db_rows(&req->task, &sql_embed_create, ARGS(slug, m.out->at));
	if (rows == NULL)
		return -1;
	if (db_text(rows, 0, "embed") == NULL)
		return fail(&req->task, 404, "workspace_unknown", "Workspace not found");
	return reply_json_printf(req, 200, "{\"embed\":%s,\"error\":null}", db_text(rows, 0, "embed"));
}

int anythingllm_embed_update(struct request *req)
{
	struct members m = {req, str_new(req->task.arena)};
	const char *outcome;
	PGresult *rows;

	if (take_members(&m) < 0 || take_changes(&m) < 0)
		return -1;
	str_putc(m.out, '}');
	rows = db_rows(&req->task, &sql_embed_update, ARGS(request_param(req, "embedUuid"), m.out->at));
	if (rows == NULL)
		return -1;
	outcome = db_text(rows, 0, "outcome");
	if (strcmp(outcome, "unknown") == 0)
		return embed_unknown(req);
	if (strcmp(outcome, "done") != 0)
		return reply_json_text(req, 200, "{\"success\":false,\"error\":\"Workspace not found\"}");
	return reply_json_text(req, 200, m.out->len == 2 ? "{}" : "{\"success\":true,\"error\":null}");
}

int anythingllm_embed_delete(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_embed_delete, ARGS(request_param(req, "embedUuid")));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return embed_unknown(req);
	return reply_json_text(req, 200, "{\"success\":true,\"error\":null}");
}

/* Where the next batch begins. */
struct place {
	char at[64];
	char id[24];
};

/* The next chats into `out`; how many, or -1. */
static int put_batch(struct request *req, struct arena *small, struct place *place, struct str *out)
{
	PGresult *rows = db_rows_in(small, &req->task, &sql_embed_chats,
		ARGS(request_param(req, "embedUuid"), request_param(req, "sessionUuid"), place->at, place->id,
			db_int_arg(small, BATCH)));
	int i, n = rows == NULL ? -1 : PQntuples(rows);

	for (i = 0; i < n; i++)
		str_printf(out, "%s%s", i == 0 && strcmp(place->id, "0") == 0 ? "" : ",", db_text(rows, i, "chat"));
	if (n > 0) {
		snprintf(place->at, sizeof(place->at), "%s", db_text(rows, n - 1, "created_at"));
		snprintf(place->id, sizeof(place->id), "%s", db_text(rows, n - 1, "id"));
	}
	arena_empty(small);
	return n;
}

/* In batches: a busy page has more than anybody's memory should hold.  If the database goes away meanwhile, the list
 * stays without its end, which no reader takes for whole. */
int anythingllm_embed_chats(struct request *req)
{
	struct place place = {"-infinity", "0"};
	struct arena *small = arena_within(req->task.arena);
	struct str *out = str_new(req->task.arena);
	int n;

	str_puts(out, "{\"chats\":[");
	n = put_batch(req, small, &place, out);
	if (n < 0)
		return -1;
	if (n < BATCH) {
		str_puts(out, "]}");
		return reply_json(req, 200, out->at, out->len);
	}
	reply_head(req, 200, "application/json; charset=utf-8", -1, NULL);
	while (n == BATCH && !req->wire->gone && !req->head) {
		wire_write(req->wire, out->at, out->len);
		str_clear(out);
		n = put_batch(req, small, &place, out);
	}
	if (n >= 0)
		str_puts(out, "]}");
	if (!req->head)
		wire_write(req->wire, out->at, out->len);
	return 0;
}
