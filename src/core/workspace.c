/* SPDX-License-Identifier: ISC */
#include "core/workspace.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/field.h"
#include "base/slug.h"
#include "base/str.h"
#include "base/utf8.h"
#include "store/db.h"
#include "store/secret.h"

const char workspace_default_prompt[] = "Answer the question from the conversation and the context below. Where the "
					"context does not hold the answer, say so. "
					"It is {datetime} (UTC).";

enum { NAME_CHARS = 255, MAX_COUNT = 1000000, SLUG_TRIES = 8 };

struct columns {
	struct task *task;
	struct json_object *body;
	struct str *out;
	bool updating;
};

static void put_name(struct columns *c, const char *column)
{
	str_printf(c->out, "%s\"%s\":", c->out->len > 1 ? "," : "", column);
}

static void put_text(struct columns *c, const char *column, const char *value)
{
	put_name(c, column);
	str_json_text(c->out, value);
}

static void put_number(struct columns *c, const char *column, double value)
{
	put_name(c, column);
	str_json_number(c->out, value);
}

const char *workspace_name(struct arena *arena, const char *name)
{
	size_t len = name == NULL ? 0 : strlen(name), at = 0;
	int n;

	if (len == 0)
		return "My Workspace";
	for (n = 0; n < NAME_CHARS && at < len; n++) {
		uint32_t code;

		at += (size_t)utf8_read(name + at, len - at, &code);
	}
	return arena_copy(arena, name, at);
}

static int take_name(struct columns *c)
{
	const char *name = NULL;

	if (!field_given(c->body, "name"))
		return 0;
	if (field_text(c->task, c->body, "name", &name) < 0)
		return -1;
	put_text(c, "name", workspace_name(c->task->arena, name));
	return 0;
}

/* A number, or a string that is one: clients send what an input field held. */
static int take_temperature(struct columns *c)
{
	struct json_object *value = field_get(c->body, "openAiTemp");
	double number = NAN;
	char *end;

	if (!field_given(c->body, "openAiTemp"))
		return 0;
	if (json_object_is_type(value, json_type_string)) {
		number = strtod(json_object_get_string(value), &end);
		if (end == json_object_get_string(value) || *end != '\0')
			number = NAN;
	} else if (field_number(c->task, c->body, "openAiTemp", &number) < 0) {
		return -1;
	}
	put_number(c, "temperature", number >= 0 ? number : NAN); /* NAN is written as null */
	return 0;
}

static int take_count(struct columns *c, const char *field, const char *column, double preset, double least)
{
	double number = preset;

	if (!field_given(c->body, field))
		return 0;
	if (field_number(c->task, c->body, field, &number) < 0)
		return -1;
	number = trunc(number);
	put_number(c, column, number < least ? least : number > MAX_COUNT ? MAX_COUNT : number);
	return 0;
}

static int take_threshold(struct columns *c)
{
	double number = 0.25;

	if (!field_given(c->body, "similarityThreshold"))
		return 0;
	if (field_number(c->task, c->body, "similarityThreshold", &number) < 0)
		return -1;
	put_number(c, "similarity_threshold", number < 0 ? 0 : number > 1 ? 1 : number);
	return 0;
}

/* Text; empty (and, for providers, "none") is NULL. */
static int take_text(struct columns *c, const char *field, const char *column, bool none_is_null)
{
	const char *text = NULL;

	if (!field_given(c->body, field))
		return 0;
	if (field_text(c->task, c->body, field, &text) < 0)
		return -1;
	if (text != NULL && (*text == '\0' || (none_is_null && strcmp(text, "none") == 0)))
		text = NULL;
	put_text(c, column, text);
	return 0;
}

/* One of a few words; anything else is the first. */
static int take_word(struct columns *c, const char *field, const char *column, const char *const *words)
{
	const char *text = NULL;
	int i;

	if (!field_given(c->body, field))
		return 0;
	if (field_text(c->task, c->body, field, &text) < 0)
		return -1;
	for (i = 0; text != NULL && words[i] != NULL; i++)
		if (strcmp(text, words[i]) == 0)
			break;
	put_text(c, column, text == NULL || words[i] == NULL ? words[0] : words[i]);
	return 0;
}

/* The provider decides about the model and the router too. */
static int take_provider(struct columns *c, bool *no_model, bool *no_router)
{
	const char *text = NULL;

	if (!field_given(c->body, "chatProvider"))
		return 0;
	if (field_text(c->task, c->body, "chatProvider", &text) < 0)
		return -1;
	if (text != NULL && (*text == '\0' || strcmp(text, "none") == 0))
		text = NULL;
	if (text != NULL && c->updating && strcmp(text, "default") == 0) {
		text = NULL;
		*no_model = true;
	} else if (text != NULL && strcmp(text, "anythingllm-router") == 0) {
		*no_model = true;
	} else if (text != NULL) {
		*no_router = true;
	}
	put_text(c, "chat_provider", text);
	return 0;
}

static int take_router(struct columns *c, bool no_router)
{
	struct json_object *value = field_get(c->body, "router_id");
	bool given = field_given(c->body, "router_id"), number = json_object_is_type(value, json_type_int);

	if (value != NULL && !number && !json_object_is_type(value, json_type_string))
		return field_refuse(c->task, "router_id", "a number");
	if (no_router || (given && !number))
		put_text(c, "router_id", NULL);
	else if (number && json_object_get_int64(value) >= 0 && json_object_get_int64(value) <= 2147483647)
		put_number(c, "router_id", (double)json_object_get_int64(value));
	return 0;
}

/* The rest of an ISO date behind its seconds: .mmm and Z or +hh:mm.  Milliseconds and minutes east; false when it is
 * none. */
static bool parse_fraction_and_zone(const char *text, int *ms, int *minutes)
{
	int hours = 0, rest = 0, n = 0, digits;
	char sign;

	*ms = *minutes = 0;
	if (*text == '.') {
		for (digits = 0, text++; isdigit((unsigned char)*text); text++, digits++)
			if (digits < 3)
				*ms = *ms * 10 + (*text - '0');
		for (; digits < 3; digits++)
			*ms *= 10;
	}
	if (*text == '\0' || strcmp(text, "Z") == 0)
		return true;
	if (sscanf(text, "%c%2d:%2d%n", &sign, &hours, &rest, &n) != 3 || text[n] != '\0' ||
		(sign != '+' && sign != '-') || hours > 15 || rest > 59)
		return false;
	*minutes = (sign == '-' ? -1 : 1) * (hours * 60 + rest);
	return true;
}

/* What stands before the fraction: a day, or a time of it behind a T, or a space as in the published examples; NULL
 * when it is neither. */
static const char *parse_time(const char *text, struct tm *utc)
{
	const char *end = strptime(text, "%Y-%m-%d", utc);

	if (end == NULL || *end == '\0')
		return end;
	return *end != 'T' && *end != ' ' ? NULL : strptime(end + 1, "%H:%M:%S", utc);
}

/* A date, else now. */
static int take_changed_at(struct columns *c)
{
	const char *text = NULL, *end;
	char date[40];
	struct tm utc = {0};
	struct timespec now;
	time_t seconds;
	int ms, minutes;

	if (!field_given(c->body, "lastUpdatedAt"))
		return 0;
	if (field_text(c->task, c->body, "lastUpdatedAt", &text) < 0)
		return -1;
	end = text == NULL ? NULL : parse_time(text, &utc);
	if (end == NULL || !parse_fraction_and_zone(end, &ms, &minutes) || utc.tm_year > 8099 || utc.tm_year < 0) {
		clock_gettime(CLOCK_REALTIME, &now);
		seconds = now.tv_sec;
		ms = (int)(now.tv_nsec / 1000000);
	} else {
		seconds = timegm(&utc) - minutes * 60;
	}
	gmtime_r(&seconds, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	put_text(c, "changed_at", arena_printf(c->task->arena, "%s.%03dZ", date, ms));
	return 0;
}

const char *workspace_columns(struct task *task, struct json_object *body, bool updating)
{
	static const char *const modes[] = {"automatic", "chat", "query", NULL};
	static const char *const searches[] = {"default", "rerank", NULL};
	struct columns c = {task, body, str_new(task->arena), updating};
	bool no_model = false, no_router = false;

	str_putc(c.out, '{');
	if ((updating && take_name(&c) < 0) || take_temperature(&c) < 0 ||
		take_count(&c, "openAiHistory", "history_length", 20, 0) < 0 ||
		take_text(&c, "openAiPrompt", "prompt", false) < 0 || take_threshold(&c) < 0 ||
		take_provider(&c, &no_model, &no_router) < 0)
		return NULL;
	if (no_model)
		put_text(&c, "chat_model", NULL);
	else if (take_text(&c, "chatModel", "chat_model", false) < 0)
		return NULL;
	if (take_count(&c, "topN", "top_n", 4, 1) < 0 || take_word(&c, "chatMode", "chat_mode", modes) < 0 ||
		take_text(&c, "agentProvider", "agent_provider", true) < 0 ||
		take_text(&c, "agentModel", "agent_model", true) < 0 ||
		take_text(&c, "queryRefusalResponse", "refusal", false) < 0 ||
		take_word(&c, "vectorSearchMode", "vector_search_mode", searches) < 0 ||
		take_router(&c, no_router) < 0 || take_changed_at(&c) < 0)
		return NULL;
	str_putc(c.out, '}');
	return c.out->at;
}

const char *workspace_slug(struct arena *arena, const char *name)
{
	const char *slug = slug_make(arena, SLUG_WORKSPACE, name);
	bool word = strcmp(slug, "search") == 0 || strcmp(slug, "list") == 0;

	if (*slug == '\0')
		return secret_uuid_of(arena, name);
	return word ? arena_printf(arena, "%s-1", slug) : slug;
}

/* Contract: every text that makes a slug, and a number behind it when the slug is taken. */
static const char *slug_for(struct arena *arena, const char *name, int try)
{
	if (try == 0)
		return workspace_slug(arena, name);
	if (*slug_make(arena, SLUG_WORKSPACE, name) == '\0') /* the number would be all */
		return secret_new_uuid(arena);
	return workspace_slug(arena, arena_printf(arena, "%s-%u", name, 10000000 + secret_below(90000000)));
}

int workspace_provide(struct task *task, const char *name, const char *slug)
{
	return db_rows(task, &sql_workspace_create, ARGS(name, slug, "{}", workspace_default_prompt)) == NULL ? -1 : 0;
}

const char *workspace_create(struct task *task, const char *name, const char *columns, const char **slug)
{
	int try;

	for (try = 0; try < SLUG_TRIES; try++) {
		PGresult *rows;

		*slug = slug_for(task->arena, name, try);
		rows = db_rows(task, &sql_workspace_create, ARGS(name, *slug, columns, workspace_default_prompt));
		if (rows == NULL)
			return NULL;
		if (PQntuples(rows) == 1)
			return PQgetvalue(rows, 0, 0);
	}
	fail(task, 409, "slug_taken", "No free slug could be found for this name.");
	return NULL;
}
