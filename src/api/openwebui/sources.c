/* SPDX-License-Identifier: ISC */
#include "api/openwebui/sources.h"

#include <string.h>

/* ---- one passage ---- */

void openwebui_put_id(struct str *out, const struct passage *passage)
{
	str_json_text(out, passage->id);
}

void openwebui_put_passage(struct str *out, const struct passage *passage)
{
	str_json_text(out, passage->text);
}

void openwebui_put_meta(struct str *out, const struct passage *passage)
{
	if (passage->meta != NULL) {
		str_puts(out, passage->meta);
		return;
	}
	str_puts(out, "{\"name\":");
	str_json_text(out, passage->origin);
	str_puts(out, ",\"source\":");
	str_json_text(out, passage->origin);
	str_puts(out, "}");
}

/* What was not looked for has no score: it fits as well as anything. */
void openwebui_put_score(struct str *out, const struct passage *passage)
{
	str_json_number(out, passage->whole ? 1 : passage->score);
}

void openwebui_put_list(
	struct str *out, const char *name, const struct passage *const *passages, int n, openwebui_put_one *put)
{
	int i;

	str_printf(out, "\"%s\":[", name);
	for (i = 0; i < n; i++) {
		str_puts(out, i == 0 ? "" : ",");
		put(out, passages[i]);
	}
	str_puts(out, "]");
}

/* ---- of a chat ---- */

/* The workspace of the question is a collection like any. */
static const char *told_workspace(const struct chat *chat)
{
	struct str *out = str_new(chat->task->arena);

	str_puts(out, "{\"type\":\"collection\",\"id\":");
	str_json_text(out, chat->slug);
	str_puts(out, ",\"name\":");
	str_json_text(out, chat->workspace_name);
	str_puts(out, "}");
	return out->at;
}

static bool any_found(const struct passage *const *list, int n)
{
	while (n > 0 && list[n - 1]->whole)
		n--;
	return n > 0;
}

static int passages_of(const struct chat *chat, int item, const struct passage **list)
{
	int i, n = 0;

	for (i = 0; i < chat->n_cited; i++)
		if (chat->passages[i].item == item)
			list[n++] = &chat->passages[i];
	return n;
}

const char *openwebui_sources(const struct chat *chat)
{
	const struct passage **list = arena_get(chat->task->arena, ((size_t)chat->n_cited + 1) * sizeof(*list));
	struct str *out = str_new(chat->task->arena);
	int item, n;

	for (item = 0; item <= chat->n_items; item++) {
		const char *source = item == 0 ? "" : chat->items[item - 1].told;

		n = passages_of(chat, item, list);
		if (n == 0 || source == NULL)
			continue;
		str_printf(
			out, "%s{\"source\":%s,", out->len == 0 ? "[" : ",", item == 0 ? told_workspace(chat) : source);
		openwebui_put_list(out, "document", list, n, openwebui_put_passage);
		str_puts(out, ",");
		openwebui_put_list(out, "metadata", list, n, openwebui_put_meta);
		if (any_found(list, n)) {
			str_puts(out, ",");
			openwebui_put_list(out, "distances", list, n, openwebui_put_score);
		}
		str_puts(out, "}");
	}
	if (out->len == 0)
		return NULL;
	str_puts(out, "]");
	return out->at;
}
