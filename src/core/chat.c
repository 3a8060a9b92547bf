/* SPDX-License-Identifier: ISC */
#include "core/chat.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "core/attach.h"
#include "core/carry.h"
#include "core/limit.h"
#include "core/outcome.h"
#include "core/prompt.h"
#include "core/retrieve.h"
#include "core/settle.h"
#include "core/watch.h"
#include "core/worker_id.h"
#include "store/db.h"
#include "store/secret.h"

enum { KEEP_MS = 1000 }; /* how often a partial answer is stored, with the second until the next tick */

static const char default_refusal[] = "There is no relevant information in this workspace to answer your query.";
static const char nothing_found[] = "Nothing in this workspace's documents matches the question, and no model is "
				    "configured to answer it otherwise.";

static int workspace_unknown(struct task *task, const char *slug)
{
	return fail(task, 400, "workspace_unknown", "Workspace %s is not a valid workspace.", slug);
}

static int thread_unknown(struct task *task, const char *slug)
{
	return fail(task, 404, "thread_unknown", "Thread %s not found.", slug);
}

int chat_find(struct task *task, const char *slug, const char *thread)
{
	PGresult *rows = db_rows(task, &sql_workspace_find, ARGS(slug, thread));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return workspace_unknown(task, slug);
	return db_true(rows, 0, "thread_found") ? 0 : thread_unknown(task, thread);
}

int chat_reset(const struct chat *chat)
{
	PGresult *rows =
		db_rows(chat->task, &sql_chat_reset, ARGS(chat->slug, chat->session, chat->thread, chat->act_as));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return workspace_unknown(chat->task, chat->slug);
	return db_true(rows, 0, "thread_found") ? 0 : thread_unknown(chat->task, chat->thread);
}

/* A column that is needed for as long as the chat lasts. */
static const char *keep(const struct chat *chat, PGresult *rows, const char *column)
{
	return arena_strdup(chat->task->arena, db_text(rows, 0, column));
}

/* Who answers: the tenant's provider that the workspace names or the tenant prefers, else the server's. */
static int choose_provider(struct chat *chat, PGresult *rows)
{
	const char *wanted = db_text(rows, 0, "chat_provider"), *name = keep(chat, rows, "provider_name");
	const char *sealed = db_text(rows, 0, "provider_key");

	chat->setup = provider_of_server(chat->config);
	if (name == NULL && (wanted == NULL || strcmp(wanted, chat->setup.name) == 0))
		return 0;
	if (name == NULL)
		return fail_field(chat->task, 502, "upstream_missing", "chatProvider",
			"The workspace's provider %s is not configured.", wanted);
	chat->setup = (struct provider_setup){.provider = &provider_openai,
		.name = name,
		.url = keep(chat, rows, "provider_url"),
		.model = keep(chat, rows, "provider_model"),
		.context_tokens = (int)db_int(rows, 0, "provider_context"),
		.guarded = true};
	if (sealed == NULL)
		return 0;
	chat->setup.key = secret_unseal(chat->task->arena, sealed,
		arena_printf(chat->task->arena, "%lld %s %s", (long long)chat->task->identity.tenant_id, name,
			chat->setup.url));
	if (chat->setup.key != NULL)
		return 0;
	log_event(LOG_ERROR, chat->task, "secret",
		"provider=%s problem=\"its key cannot be unsealed; is secret.file the one it was sealed with?\"", name);
	return fail(chat->task, 502, "upstream_sealed", "The key of the provider %s cannot be read.", name);
}

static void read_history(struct chat *chat, PGresult *rows)
{
	const char *const *texts;
	int n = db_items(chat->scratch, rows, 0, "history", &texts) / 3, i;
	struct exchange *earlier = arena_get(chat->scratch, (size_t)(n + 1) * sizeof(*earlier));

	for (i = 0; i < n; i++)
		earlier[i] = (struct exchange){texts[3 * i], texts[3 * i + 1], texts[3 * i + 2]};
	chat->earlier = earlier;
	chat->n_earlier = n;
}

static void read_opened(struct chat *chat, PGresult *rows)
{
	chat->workspace_id = db_int(rows, 0, "workspace_id");
	chat->workspace_name = keep(chat, rows, "name");
	chat->prompt = db_text(rows, 0, "prompt");
	chat->refusal = keep(chat, rows, "refusal");
	read_history(chat, rows);
	chat->account_name = db_text(rows, 0, "username");
	chat->account_bio = db_text(rows, 0, "bio");
	chat->workspace_temperature = db_number(rows, 0, "temperature");
	if (chat->temperature == NULL && db_text(rows, 0, "temperature") != NULL)
		chat->temperature = &chat->workspace_temperature;
	chat->top_n = (int)db_int(rows, 0, "top_n");
	chat->threshold = db_number(rows, 0, "similarity_threshold");
	chat->has_passages = db_true(rows, 0, "has_passages");
	chat->has_pinned = db_true(rows, 0, "has_pinned");
	chat->mode = keep(chat, rows, "mode");
	chat->model = chat->model_asked != NULL ? chat->model_asked : keep(chat, rows, "chat_model");
}

/* From here on the ticket stands for the key.  Memory may run out at once: all of it holds, or nothing. */
static void take_ticket(struct chat *chat, PGresult *rows, const char *ticket)
{
	struct identity *who = &chat->task->identity;
	int64_t id = db_int(rows, 0, "chat_id");

	who->chat_id = db_int_arg(chat->task->arena, id);
	who->account_id = db_int(rows, 0, "account_id");
	who->entry = ENTER_BY_TICKET;
	who->ticket = ticket;
	chat->id = id;
}

/* What opening found, or did not. */
enum opening { OPENED = 0, UNOPENED = -1, MUST_HOLD = 1 };

/* A question that goes straight to the server's model. */
static enum opening open_free(struct chat *chat, const char *ticket)
{
	PGresult *rows = db_rows(chat->task, &sql_chat_open_free,
		ARGS(chat->message, chat->attachments, chat->origin, ticket, worker_id()));

	if (rows == NULL)
		return UNOPENED;
	if (db_true(rows, 0, "must_hold"))
		return MUST_HOLD;
	chat->mode = "chat";
	chat->prompt = "";
	chat->setup = provider_of_server(chat->config);
	take_ticket(chat, rows, ticket);
	return OPENED;
}

/* In binary: a long history comes as it is. */
static PGresult *open_by(struct chat *chat, const struct stmt *stmt, const char *const *args, int n_args)
{
	struct db_call call = {.stmt = stmt, .args = args, .n_args = n_args, .binary = true};

	return db_run_in(chat->scratch, chat->task, &call, 1) < 0 ? NULL : call.rows;
}

/* A visitor's question: which workspace is asked and how, the embed says. */
static enum opening open_visit(struct chat *chat, const char *ticket)
{
	struct task *task = chat->task;
	PGresult *rows = open_by(chat, &sql_embed_open,
		ARGS(task->identity.embed, chat->message, chat->session, chat->visitor, ticket, worker_id()));

	if (rows == NULL)
		return UNOPENED;
	if (PQntuples(rows) == 0)
		return fail(task, 404, "embed_unknown", "There is no such chat.");
	if (db_true(rows, 0, "must_hold"))
		return MUST_HOLD;
	read_opened(chat, rows);
	take_ticket(chat, rows, ticket);
	chat->opened = rows;
	return OPENED;
}

static enum opening open_in_workspace(struct chat *chat, const char *ticket)
{
	struct task *task = chat->task;
	PGresult *rows = open_by(chat, &sql_chat_open,
		ARGS(chat->slug, chat->message, chat->mode, chat->session, chat->attachments, chat->origin, ticket,
			worker_id(), chat->thread, chat->act_as, db_bool_arg(chat->given == NULL)));

	if (rows == NULL)
		return UNOPENED;
	if (PQntuples(rows) == 0)
		return workspace_unknown(task, chat->slug);
	if (db_true(rows, 0, "must_hold"))
		return MUST_HOLD;
	if (!db_true(rows, 0, "thread_found"))
		return thread_unknown(task, chat->thread);
	read_opened(chat, rows);
	take_ticket(chat, rows, ticket);
	chat->opened = rows;
	return OPENED;
}

static enum opening open_once(struct chat *chat, const char *ticket)
{
	return chat->visitor != NULL ? open_visit(chat, ticket)
	       : chat->slug == NULL  ? open_free(chat, ticket)
				     : open_in_workspace(chat, ticket);
}

/* Who has limits takes a place under them first; whether that is so, the first call of the database tells. */
static int open_held(struct chat *chat, const char *ticket)
{
	enum opening opening = chat->task->identity.limited ? MUST_HOLD : open_once(chat, ticket);

	if (opening != MUST_HOLD)
		return opening;
	if (limit_hold(chat->task, ticket, strlen(chat->message)) < 0)
		return -1;
	chat->held = ticket;
	opening = open_once(chat, ticket);
	/* Limits that were set between the two: without a place nobody asks a model. */
	return opening == MUST_HOLD
		       ? fail(chat->task, 503, "database_conflict", "Too many changed this at once; try again.")
		       : (int)opening;
}

/* Step 1.  Should the database's word be lost, or memory run out, the chat may be on record or not. */
static int open_chat(struct chat *chat)
{
	const char *ticket = secret_new_uuid(chat->task->arena);
	int result;

	chat->doubt = settle_unless_known(chat->task->arena, ticket);
	result = open_held(chat, ticket);
	if (result < 0 && chat->task->failure.status != 503)
		settle_known(chat->doubt);
	return result;
}

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

/* Step 2. */
static int find_passages(struct chat *chat)
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

/* Keep what has come, so that it outlives this process. */
static void keep_answer(struct chat *chat)
{
	int64_t now = clock_ms();

	if (now - chat->kept_ms < KEEP_MS)
		return;
	chat->kept_ms = now;
	watch_keep(chat);
}

/* A piece as it is stored: reasoning stands between marks.  Dialects without reasoning of their own tell it so too. */
static int tell(struct chat *chat, const char *text, size_t len, bool aside)
{
	str_add(chat->answer, text, len);
	return aside ? 0 : chat->sink->text(chat, text, len);
}

static int on_text(void *arg, const char *text, size_t len, enum llm_kind kind)
{
	struct chat *chat = arg;
	const struct chat_sink *sink = chat->sink;
	bool aside = sink->reasoning != NULL, reasoning = kind == LLM_REASONING;

	if (reasoning != chat->thinking) {
		chat->thinking = reasoning;
		if (tell(chat, reasoning ? "<think>" : "</think>", reasoning ? 7 : 8, aside) != 0)
			return -1;
	}
	keep_answer(chat);
	if (kind == LLM_REFUSAL && sink->refusal != NULL) {
		str_add(chat->answer, text, len);
		return sink->refusal(chat, text, len);
	}
	if (tell(chat, text, len, reasoning && aside) != 0)
		return -1;
	return reasoning && aside ? sink->reasoning(chat, text, len) : 0;
}

static int on_tool_calls(void *arg, const char *json, size_t len)
{
	struct chat *chat = arg;

	if (chat->sink->tool_calls == NULL)
		return 0;
	if (chat->tool_calls == NULL)
		chat->tool_calls = str_new(chat->task->arena);
	str_puts(chat->tool_calls, chat->tool_calls->len == 0 ? "" : ",");
	str_add(chat->tool_calls, json, len);
	return chat->sink->tool_calls(chat, json, len);
}

static int on_silence(void *arg)
{
	struct chat *chat = arg;

	return chat->sink->silence(chat);
}

/* The request to the model is written: a long history need not be held while the answer comes. */
static void on_asked(void *arg)
{
	struct chat *chat = arg;

	chat->call.messages = NULL;
	chat->earlier = NULL;
	chat->n_earlier = 0;
	chat->prompt = NULL;
	chat->opened = NULL;
	arena_empty(chat->scratch);
}

static bool on_gone(void *arg)
{
	struct chat *chat = arg;

	return chat->sink->gone(chat);
}

/* Step 3. */
static int complete(struct chat *chat)
{
	struct llm_call *call = &chat->call;
	int result;

	if (chat->model == NULL || chat->setup.provider == &provider_quote)
		chat->model = chat->setup.model;
	*call = (struct llm_call){.task = chat->task,
		.config = chat->config,
		.setup = &chat->setup,
		.model = chat->model,
		.temperature = chat->temperature,
		.parameters = chat->parameters == NULL ? "" : chat->parameters,
		.has_tools = chat->has_tools,
		.passages = chat->passages,
		.n_passages = chat->n_cited,
		.nothing_found = nothing_found,
		.on_text = on_text,
		.on_tool_calls = on_tool_calls,
		.on_silence = on_silence,
		.gone = on_gone,
		.on_asked = on_asked,
		.arg = chat};
	if (prompt_assemble(chat) < 0)
		return -1;
	chat->started_ms = chat->kept_ms = clock_ms();
	result = watch_during(chat, chat->setup.provider->complete, call);
	if (chat->thinking)
		tell(chat, "</think>", 8, call->stopped || chat->sink->reasoning != NULL);
	if (result < 0)
		return -1;
	chat->end = call->stopped                                        ? CHAT_STOPPED
		    : chat->answer->len == 0 && chat->tool_calls == NULL ? CHAT_EMPTY
									 : CHAT_ANSWERED;
	return 0;
}

static void leave_open(void *unused)
{
	(void)unused;
	metrics_add(METRIC_CHATS_OPEN, 0, 0, -1);
}

/* All four. */
static int go_through(void *arg)
{
	struct chat *chat = arg;

	chat->scratch = arena_within(chat->task->arena);
	chat->answer = str_new(chat->task->arena);
	chat->sources = "[]";
	chat->metrics = "{}";
	if (open_chat(chat) < 0)
		return -1;
	arena_later(chat->task->arena, leave_open, NULL);
	metrics_add(METRIC_CHATS_OPEN, 0, 0, 1);
	if ((chat->opened != NULL && choose_provider(chat, chat->opened) < 0) || find_passages(chat) < 0 ||
		(chat->end == CHAT_OPEN && complete(chat) < 0))
		return -1;
	return outcome_store(chat);
}

int chat_run(struct chat *chat)
{
	int result = task_attempt(chat->task, go_through, chat);

	if (result < 0 && chat->id != 0 && !chat->closing)
		outcome_store_failure(chat);
	if (chat->held != NULL)
		limit_settle(chat->task, chat->held,
			chat->charged ? chat->call.usage.prompt_tokens + chat->call.usage.completion_tokens : 0,
			chat->charged);
	if (result < 0)
		chat->end = CHAT_FAILED;
	return result;
}
