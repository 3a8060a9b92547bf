/* SPDX-License-Identifier: ISC */
#include "core/context.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"

const char context_template[] = "Answer the question below with the help of these sources.\n"
				"- Behind what you take from a source put its id in brackets, such as [1]; make up no "
				"ids, and cite nothing that has "
				"none.\n"
				"- Where the sources do not answer the question, say that you do not find it there.\n"
				"- Answer in the language of the question.\n\n"
				"<context>\n{{CONTEXT}}\n</context>\n";

/* Readers number sources by their origin, in the order in which they come first. */
static int number_of(const struct chat *chat, int at)
{
	int i, k, number = 1;

	for (i = 0; i < at; i++) {
		if (strcmp(chat->passages[i].origin, chat->passages[at].origin) == 0)
			return number_of(chat, i);
		for (k = 0; k < i && strcmp(chat->passages[k].origin, chat->passages[i].origin) != 0; k++)
			;
		number += k == i;
	}
	return number;
}

static void put_name(struct str *out, const char *name)
{
	for (; *name != '\0'; name++)
		if (*name == '"' || *name == '<' || *name == '>' || *name == '&')
			str_printf(out, "&#%d;", *name);
		else
			str_putc(out, *name == '\n' ? ' ' : *name);
}

/* The marks around a passage are ours: what stands in it and looks like one of them is none. */
static bool is_mark(const char *text)
{
	static const char *const names[] = {"source", "context"};
	size_t i;

	text += *text == '/';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncasecmp(text, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static void put_text(struct str *out, const char *text)
{
	for (;;) {
		size_t len = strcspn(text, "<");

		str_add(out, text, len);
		text += len;
		if (*text == '\0')
			return;
		text++;
		str_puts(out, is_mark(text) ? "&#60;" : "<");
	}
}

static void put_source(const struct chat *chat, int at, struct str *out)
{
	const struct passage *passage = &chat->passages[at];
	const char *name = passage->item > 0 ? chat->items[passage->item - 1].name : NULL;

	str_printf(out, "<source id=\"%d\" name=\"", number_of(chat, at));
	put_name(out, name != NULL ? name : passage->origin);
	str_puts(out, "\">");
	put_text(out, passage->text);
	str_puts(out, "</source>\n");
}

/* The filled template; NULL when no passage fits. */
static const char *context_of(const struct chat *chat, int64_t *room)
{
	struct arena *arena = chat->scratch;
	struct str *all = str_new(arena), *one = str_new(arena);
	const char *gap = strstr(context_template, "{{CONTEXT}}");
	int i;

	*room -= llm_tokens(sizeof(context_template));
	for (i = 0; i < chat->n_cited; i++) {
		if (chat->passages[i].text == NULL || *chat->passages[i].text == '\0')
			continue;
		str_clear(one);
		put_source(chat, i, one);
		if (llm_tokens(one->len) > *room)
			continue;
		*room -= llm_tokens(one->len);
		str_add(all, one->at, one->len);
	}
	if (all->len == 0)
		return NULL;
	all->at[--all->len] = '\0';
	return arena_printf(arena, "%.*s%s%s", (int)(gap - context_template), context_template, all->at,
		gap + strlen("{{CONTEXT}}"));
}

/* A part for text before the others. */
static struct json_object *add_first(struct json_object *message, struct json_object *parts)
{
	struct json_object *all = json_object_new_array(), *part = json_object_new_object();
	size_t i;

	json_object_object_add(part, "type", json_object_new_string("text"));
	json_object_array_add(all, part);
	for (i = 0; i < json_object_array_length(parts); i++)
		json_object_array_add(all, json_object_get(json_object_array_get_idx(parts, i)));
	json_object_object_add(message, "content", all);
	return part;
}

/* The object that holds a message's first text: itself, or a part, which is made where there is none. */
static struct json_object *text_holder(struct json_object *message, const char **key)
{
	struct json_object *content = json_object_object_get(message, "content"), *part;
	size_t i;

	*key = "content";
	if (!json_object_is_type(content, json_type_array))
		return message;
	*key = "text";
	for (i = 0; i < json_object_array_length(content); i++) {
		part = json_object_array_get_idx(content, i);
		if (json_object_is_type(json_object_object_get(part, "text"), json_type_string))
			return part;
	}
	return add_first(message, content);
}

/* A message as JSON, with a text before its own. */
static const char *raw_with(struct arena *arena, const char *raw, const char *text)
{
	struct json_object *message = json_ours(arena, raw), *holder;
	const char *key, *old;

	if (message == NULL)
		arena_exhausted(arena);
	holder = text_holder(message, &key);
	old = json_object_get_string(json_object_object_get(holder, key));
	json_object_object_add(
		holder, key, json_object_new_string(arena_printf(arena, "%s\n%s", text, old == NULL ? "" : old)));
	return json_text(arena, message);
}

int context_put(const struct chat *chat, struct llm_message *question, int n, int64_t *room)
{
	const char *text = context_of(chat, room);
	struct llm_message *last = &question[n - 1];

	if (text == NULL)
		return n;
	if (strcmp(last->role, "user") != 0) {
		question[n] = (struct llm_message){.role = "user", .content = text};
		return n + 1;
	}
	last->content = arena_printf(chat->scratch, "%s\n%s", text, last->content);
	if (last->raw != NULL)
		last->raw = raw_with(chat->scratch, last->raw, text);
	return n;
}
