/* SPDX-License-Identifier: ISC */
#include "llm/tools.h"

#include <string.h>

#include "base/json.h"
#include "store/secret.h"

enum {
	NO_INDEX = -1,
	ID_BYTES = 65536, /* LiteLLM puts Gemini's signature into the id */
	WAITS_BYTES = 65536,
};

/* A call that has been begun. */
struct tool_call {
	int64_t index;         /* as the provider numbers it, or NO_INDEX */
	const char *id, *name; /* NULL: not said yet */
	bool made;             /* the id is ours */
	bool custom;           /* its input is a text, not arguments */
	int place;             /* among those that are told, or -1 */
	struct str *waits;     /* arguments that came before its name */
	struct str *arguments; /* all that were told */
	struct str *others;    /* what else stands in it, as last told */
};

/* What a piece says. */
struct piece {
	int64_t index;
	const char *id, *name; /* NULL: nothing */
	const char *arguments;
	bool custom;
	struct json_object *whole;
};

static const char *text_of(struct json_object *object, const char *name)
{
	struct json_object *value = json_member(object, name, json_type_string);

	return json_object_get_string_len(value) == 0 ? NULL : json_object_get_string(value);
}

/* A text as it is; an object or a list as JSON, since that is what the text would be. */
static const char *arguments_of(struct arena *arena, struct json_object *function, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(function, name, &value))
		return NULL;
	if (json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array))
		return json_text(arena, value);
	return text_of(function, name);
}

/* False for what is no piece of a call. */
static bool read_piece(struct arena *arena, struct json_object *from, struct piece *piece)
{
	struct json_object *index = json_member(from, "index", json_type_int), *function;

	if (!json_object_is_type(from, json_type_object))
		return false;
	*piece = (struct piece){.index = NO_INDEX, .id = text_of(from, "id"), .whole = from};
	if (index != NULL && json_object_get_int64(index) >= 0)
		piece->index = json_object_get_int64(index);
	piece->custom = json_object_object_get_ex(from, "custom", &function) && function != NULL;
	if (!piece->custom && !json_object_object_get_ex(from, "function", &function))
		return false;
	if (!json_object_is_type(function, json_type_object))
		return false;
	piece->name = text_of(function, "name");
	piece->arguments = arguments_of(arena, function, piece->custom ? "input" : "arguments");
	if (piece->id != NULL && strlen(piece->id) > ID_BYTES)
		piece->id = NULL;
	return true;
}

static bool same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Gemini numbers all calls of an answer 0 and gives them no ids, or one: what begins anew where all has been said is
 * another call, even of the same function. */
static bool begins_anew(struct tools *tools, const struct tool_call *call, const struct piece *piece)
{
	struct json_fault fault;

	return piece->name != NULL && piece->arguments != NULL && *piece->arguments == '{' && !call->custom &&
	       call->arguments->len > 0 &&
	       json_check(tools->arena, call->arguments->at, call->arguments->len, &fault) == 0;
}

/* With a name, on a call that has its own: is it another one?  An id alone may be made anew for every piece. */
static bool is_another(struct tools *tools, const struct tool_call *call, const struct piece *piece)
{
	if (piece->name == NULL || call->name == NULL)
		return false;
	return piece->index == NO_INDEX || !same(piece->name, call->name) ||
	       (piece->id != NULL && !call->made && !same(piece->id, call->id)) || begins_anew(tools, call, piece);
}

/* The call that a piece goes on with, the newest first; NULL: it begins one. */
static struct tool_call *find_call(struct tools *tools, const struct piece *piece)
{
	int i;

	for (i = tools->n - 1; i >= 0 && piece->index == NO_INDEX; i--)
		if (same(piece->id, tools->calls[i].id))
			return begins_anew(tools, &tools->calls[i], piece) ? NULL : &tools->calls[i];
	for (i = tools->n - 1; i >= 0; i--)
		if (piece->index == NO_INDEX || tools->calls[i].index == piece->index)
			return is_another(tools, &tools->calls[i], piece) ? NULL : &tools->calls[i];
	return NULL;
}

static bool is_taken(const struct tools *tools, const char *id)
{
	int i;

	for (i = 0; i < tools->n; i++)
		if (same(tools->calls[i].id, id))
			return true;
	return false;
}

/* NULL when there are too many. */
static struct tool_call *begin_call(struct tools *tools, const struct piece *piece)
{
	struct tool_call *call;

	if (tools->calls == NULL)
		tools->calls = arena_get(tools->arena, TOOLS_MOST * sizeof(*tools->calls));
	if (tools->n == TOOLS_MOST)
		return NULL;
	call = &tools->calls[tools->n++];
	*call = (struct tool_call){.index = piece->index,
		.custom = piece->custom,
		.place = -1,
		.waits = str_new(tools->arena),
		.arguments = str_new(tools->arena),
		.others = str_new(tools->arena)};
	return call;
}

/* What else stands in a piece: Gemini wants its extra_content back with the call. */
static void put_others(struct str *out, struct json_object *from)
{
	static const char *const known[] = {"index", "id", "type", "function", "custom"};

	json_object_object_foreach(from, name, value)
	{
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(name, known[i]) != 0)
			i++;
		if (i < sizeof(known) / sizeof(known[0]) || value == NULL)
			continue;
		str_putc(out, ',');
		str_json_text(out, name);
		str_printf(out, ":%s", json_text(out->arena, value));
	}
}

/* A call, or a piece of one: who it is, where that is told, and these arguments. */
static void put_call(struct str *out, const struct tool_call *call, bool named, const struct str *arguments)
{
	const char *kind = call->custom ? "custom" : "function", *field = call->custom ? "input" : "arguments";

	if (named) {
		str_puts(out, "\"id\":");
		str_json_text(out, call->id);
		str_printf(out, ",\"type\":\"%s\",", kind);
	}
	str_printf(out, "\"%s\":{", kind);
	if (named) {
		str_puts(out, "\"name\":");
		str_json_text(out, call->name);
		str_putc(out, ',');
	}
	str_printf(out, "\"%s\":", field);
	str_json(out, arguments->at, arguments->len);
	str_putc(out, '}');
}

/* What the call has not told yet. */
static void put_piece(struct str *out, struct tool_call *call, const struct piece *piece, bool first)
{
	struct str *others = str_new(out->arena);

	str_printf(out, "%s{\"index\":%d,", out->at[out->len - 1] == '[' ? "" : ",", call->place);
	put_call(out, call, first, call->waits);
	put_others(others, piece->whole);
	str_printf(out, "%s}", others->at);
	str_add(call->arguments, call->waits->at, call->waits->len);
	if (others->len > 0) {
		str_clear(call->others);
		str_puts(call->others, others->at);
	}
}

/* What a piece adds to its call. */
static void learn(struct tools *tools, struct tool_call *call, const struct piece *piece)
{
	if (call->id == NULL && piece->id != NULL && !is_taken(tools, piece->id))
		call->id = arena_strdup(tools->arena, piece->id);
	if (call->name == NULL && piece->name != NULL)
		call->name = arena_strdup(tools->arena, piece->name);
	if (piece->arguments != NULL &&
		(call->name != NULL || call->waits->len + strlen(piece->arguments) <= WAITS_BYTES))
		str_puts(call->waits, piece->arguments);
}

static void take_piece(struct tools *tools, const struct piece *piece, struct str *out)
{
	struct tool_call *call = find_call(tools, piece);
	bool first;

	if (call == NULL)
		call = begin_call(tools, piece);
	if (call == NULL)
		return;
	learn(tools, call, piece);
	if (call->name == NULL)
		return;
	first = call->place < 0;
	if (first)
		call->place = tools->n_told++;
	if (call->id == NULL) {
		call->made = true;
		call->id = arena_printf(tools->arena, "call_%s", secret_new_uuid(tools->arena));
	}
	if (first || call->waits->len > 0)
		put_piece(out, call, piece, first);
	str_clear(call->waits);
}

void tools_take(struct tools *tools, struct json_object *list, struct str *out)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0, i;
	struct piece piece;

	for (i = 0; i < n; i++)
		if (read_piece(out->arena, json_object_array_get_idx(list, i), &piece))
			take_piece(tools, &piece, out);
}

/* ---- whole calls ---- */

const char *tools_whole(const struct tools *tools, struct arena *arena)
{
	struct str *out = str_new(arena);
	int place, i;

	for (place = 0; place < tools->n_told; place++)
		for (i = 0; i < tools->n; i++) {
			const struct tool_call *call = &tools->calls[i];

			if (call->place != place)
				continue;
			str_puts(out, place == 0 ? "{" : ",{");
			put_call(out, call, true, call->arguments);
			str_printf(out, "%s}", call->others->at);
		}
	return arena_printf(arena, "[%s]", out->at);
}

size_t tools_bytes(const struct tools *tools)
{
	size_t bytes = 0;
	int i;

	for (i = 0; i < tools->n; i++)
		if (tools->calls[i].place >= 0)
			bytes += strlen(tools->calls[i].name) + tools->calls[i].arguments->len;
	return bytes;
}
