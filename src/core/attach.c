/* SPDX-License-Identifier: ISC */
#include "core/attach.h"

#include <string.h>

#include "base/utf8.h"
#include "core/retrieve.h"
#include "store/db.h"

enum {
	PASSAGES_EACH = 4, /* of an item that is searched, as a workspace has it */
	BYTES_A_TOKEN = 4,
	WHOLE_SHARE = 2, /* of the window may be filled by all of something */
};

/* ---- one more passage ---- */

static bool among(const struct chat *chat, const struct passage *passage)
{
	int i;

	for (i = 0; i < chat->n_cited; i++)
		if (chat->passages[i].document_id == passage->document_id &&
			strcmp(chat->passages[i].text, passage->text) == 0)
			return true;
	return false;
}

/* Behind the cited ones; what only the model is shown stays last. */
static void add(struct chat *chat, const struct passage *found, int n, int item)
{
	size_t room = (size_t)(chat->n_passages + n);
	struct passage *all = arena_get(chat->task->arena, (room + 1) * sizeof(*all));
	const struct passage *shown = chat->passages + chat->n_cited;
	int n_shown = chat->n_passages - chat->n_cited, i;

	if (chat->n_cited > 0)
		memcpy(all, chat->passages, (size_t)chat->n_cited * sizeof(*all));
	for (i = 0; i < n; i++) {
		if (among(chat, &found[i]))
			continue;
		all[chat->n_cited] = found[i];
		all[chat->n_cited++].item = item;
		chat->passages = all;
	}
	if (n_shown > 0)
		memcpy(all + chat->n_cited, shown, (size_t)n_shown * sizeof(*all));
	chat->passages = all;
	chat->n_passages = chat->n_cited + n_shown;
}

/* ---- what an item holds ---- */

/* Bytes of the model's window that whole texts may still take. */
static size_t bytes_to_fill(const struct chat *chat)
{
	size_t most = (size_t)chat->setup.context_tokens * BYTES_A_TOKEN / WHOLE_SHARE, taken = 0;
	int i;

	for (i = 0; i < chat->n_cited; i++)
		taken += chat->passages[i].whole ? strlen(chat->passages[i].text) : 0;
	return taken < most ? most - taken : 0;
}

static void add_text(struct chat *chat, const struct chat_item *item, int no)
{
	const char *text = arena_copy(
		chat->task->arena, item->text, utf8_cut(item->text, strlen(item->text), bytes_to_fill(chat)));
	struct passage passage = {
		.title = item->name == NULL ? "" : item->name, .text = text, .cited = text, .whole = true};

	passage.origin = passage.title;
	if (*text != '\0')
		add(chat, &passage, 1, no);
}

/* 1; 0 when it is too much for the model. */
static int add_whole(struct chat *chat, const struct chat_item *item, int no)
{
	struct arena *arena = chat->task->arena;
	PGresult *rows = db_rows(chat->task, &sql_document_whole,
		ARGS(item->workspaces, item->files, db_int_arg(arena, (int64_t)bytes_to_fill(chat))));
	int i;

	for (i = 0; rows != NULL && i < PQntuples(rows); i++) {
		const char *text = db_text(rows, i, "text");
		struct passage passage = {.source = db_text(rows, i, "source"),
			.title = db_text(rows, i, "title"),
			.text = text,
			.cited = text,
			.document_id = db_int(rows, i, "document_id"),
			.whole = true};

		add(chat, &passage, 1, no);
	}
	return rows == NULL ? -1 : i > 0;
}

int attach_search(struct task *task, const struct config *config, const char *workspaces, const char *files,
	const char *question, int most, const struct passage **found)
{
	const struct retrieve_scope scope = {workspaces, files};

	return retrieve(task, config, &scope, question, &(struct retrieve_wishes){.top_n = most}, found);
}

static int add_found(struct chat *chat, const struct chat_item *item, int no)
{
	const struct retrieve_scope scope = {item->workspaces, item->files};
	const struct retrieve_wishes wishes = {.top_n = PASSAGES_EACH, .asked = &chat->asked};
	const struct passage *found;
	int n = retrieve(chat->task, chat->config, &scope, chat->message, &wishes, &found);

	if (n < 0)
		return -1;
	add(chat, found, n, no);
	return 0;
}

int attach_find(struct chat *chat)
{
	int i, whole;

	for (i = 0; i < chat->n_items; i++) {
		const struct chat_item *item = &chat->items[i];

		if (item->text != NULL) {
			add_text(chat, item, i + 1);
			continue;
		}
		whole = item->whole ? add_whole(chat, item, i + 1) : 0;
		if (whole < 0 || (whole == 0 && add_found(chat, item, i + 1) < 0))
			return -1;
	}
	return 0;
}

/* ---- where they come from ---- */

static const char *ids_of(struct arena *arena, const struct passage *passages, int n)
{
	const char **ids = arena_get(arena, (size_t)(n + 1) * sizeof(*ids));
	size_t n_ids = 0;
	int i;

	for (i = 0; i < n; i++)
		if (passages[i].document_id != 0)
			ids[n_ids++] = db_int_arg(arena, passages[i].document_id);
	return db_array(arena, ids, n_ids);
}

int attach_describe(struct task *task, const struct passage **passages, int n)
{
	struct passage *all = arena_get(task->arena, (size_t)(n + 1) * sizeof(*all));
	PGresult *rows;
	int i, k;

	if (n == 0)
		return 0;
	rows = db_rows(task, &sql_document_cite, ARGS(ids_of(task->arena, *passages, n)));
	if (rows == NULL)
		return -1;
	memcpy(all, *passages, (size_t)n * sizeof(*all));
	for (i = 0; i < n; i++) {
		all[i].origin = all[i].title;
		for (k = 0; k < PQntuples(rows); k++)
			if (all[i].document_id == db_int(rows, k, "id")) {
				all[i].origin = db_text(rows, k, "origin");
				all[i].meta = db_text(rows, k, "meta");
			}
	}
	*passages = all;
	return 0;
}
