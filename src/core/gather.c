/* SPDX-License-Identifier: ISC */
#include "core/gather.h"

#include <string.h>

#include "core/attach.h"
#include "core/carry.h"
#include "core/retrieve.h"

static const char default_refusal[] = "There is no relevant information in this workspace to answer your query.";

static bool is_query(const struct chat *chat)
{
	return strcmp(chat->mode, "query") == 0;
}

/* Passages behind those that are there already. */
static void add_passages(struct chat *chat, const struct passage *more, int n)
{
	struct passage *all = arena_get(chat->task->arena, (size_t)(chat->n_passages + n + 1) * sizeof(*all));

	if (chat->n_passages > 0)
		memcpy(all, chat->passages, (size_t)chat->n_passages * sizeof(*all));
	if (n > 0)
		memcpy(all + chat->n_passages, more, (size_t)n * sizeof(*all));
	chat->passages = all;
	chat->n_passages += n;
}

/* Quoting answers the question alone: without what was said before, without what is always shown. */
static bool is_quoting(const struct chat *chat)
{
	return chat->setup.provider == &provider_quote;
}

static int add_pinned(struct chat *chat)
{
	const struct passage *pinned;
	int n;

	if (!chat->has_pinned || is_quoting(chat))
		return 0;
	n = retrieve_pinned(chat->task, chat->workspace_id, 4 * (size_t)chat->setup.context_tokens, &pinned);
	if (n < 0)
		return -1;
	add_passages(chat, pinned, n);
	chat->n_pinned = n;
	return 0;
}

static void add_carried(struct chat *chat)
{
	if (is_quoting(chat))
		chat->n_carried = 0;
	add_passages(chat,
		carry_passages(
			chat->task->arena, chat->carried, chat->n_carried, 4 * (size_t)chat->setup.context_tokens),
		chat->n_carried);
	chat->n_pinned += chat->n_carried;
	chat->n_cited = chat->n_passages;
}

static int add_found(struct chat *chat)
{
	const struct retrieve_scope scope = retrieve_workspace(chat->task->arena, chat->workspace_id);
	const struct retrieve_wishes wishes = {.top_n = chat->top_n < 1               ? 1
							: chat->top_n > RETRIEVE_MOST ? RETRIEVE_MOST
										      : chat->top_n,
		.threshold = chat->threshold,
		.without_pinned = chat->n_pinned > chat->n_carried,
		.asked = &chat->asked};
	const struct passage *found;
	int n = retrieve(chat->task, chat->config, &scope, chat->message, &wishes, &found);

	if (n < 0)
		return -1;
	add_passages(chat, found, n);
	chat->n_cited = chat->n_passages;
	return 0;
}

/* Too few were found: what earlier answers were based on stands in, for the model's eyes only. */
static int fill_up(struct chat *chat)
{
	int n_found = chat->n_cited - chat->n_pinned, n;
	const struct passage *earlier;

	if (n_found >= chat->top_n || chat->given != NULL || chat->n_earlier == 0 || is_quoting(chat))
		return 0;
	n = retrieve_earlier(chat->task, chat->passages + chat->n_pinned, n_found, chat->top_n - n_found, &earlier);
	if (n > 0)
		add_passages(chat, earlier, n);
	return n < 0 ? -1 : 0;
}

/* Query mode refuses where there is nothing to answer from; as AnythingLLM's clients know it, what came along does not
 * stand in for a workspace that holds nothing. */
static bool has_nothing(const struct chat *chat)
{
	return chat->n_passages == 0 || (!chat->has_passages && chat->n_items == 0);
}

int gather_passages(struct chat *chat)
{
	if (chat->has_passages && add_pinned(chat) < 0)
		return -1;
	add_carried(chat);
	if ((chat->has_passages && (add_found(chat) < 0 || fill_up(chat) < 0)) || attach_find(chat) < 0)
		return -1;
	if (chat->numbered && attach_describe(chat->task, &chat->passages, chat->n_passages) < 0)
		return -1;
	if (is_query(chat) && has_nothing(chat)) {
		chat->end = CHAT_REFUSED;
		chat->refused_early = !chat->has_passages;
		str_puts(chat->answer, chat->refusal != NULL ? chat->refusal : default_refusal);
	}
	return 0;
}
