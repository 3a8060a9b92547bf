/* SPDX-License-Identifier: ISC */
#include "core/chat.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/prompt.h"
#include "core/retrieve.h"
#include "core/worker_id.h"
#include "store/db.h"
#include "store/secret.h"

enum {
	CHECKPOINT_MS = 2000,     /* how often a partial answer is stored */
	CLOSE_PATIENCE_MS = 10000 /* how long the closing commit is tried again */
};

static const char default_refusal[] = "There is no relevant information in this workspace to answer your query.";
static const char nothing_found[] = "Nothing in this workspace's documents matches the question, and no model is configured to answer it otherwise.";

static int workspace_unknown(struct task *task, const char *slug)
{
	return fail(task, 400, "workspace_unknown", "Workspace %s is not a valid workspace.", slug);
}

int chat_find_workspace(struct task *task, const char *slug)
{
	PGresult *rows = db_rows(task, &sql_workspace_find, ARGS(slug));

	if (rows == NULL)
		return -1;
	return PQntuples(rows) == 0 ? workspace_unknown(task, slug) : 0;
}

int chat_reset(struct task *task, const char *slug, const char *session)
{
	PGresult *rows = db_rows(task, &sql_chat_reset, ARGS(slug, session));

	if (rows == NULL)
		return -1;
	return PQntuples(rows) == 0 ? workspace_unknown(task, slug) : 0;
}

static void read_opened(struct chat *chat, PGresult *rows)
{
	chat->id = db_int(rows, 0, "chat_id");
	chat->workspace_id = db_int(rows, 0, "workspace_id");
	chat->workspace_name = db_text(rows, 0, "name");
	chat->prompt = db_text(rows, 0, "prompt");
	chat->refusal = db_text(rows, 0, "refusal");
	chat->history = db_text(rows, 0, "history");
	chat->account_name = db_text(rows, 0, "username");
	chat->account_bio = db_text(rows, 0, "bio");
	chat->temperature_text = db_text(rows, 0, "temperature");
	chat->temperature = db_number(rows, 0, "temperature");
	chat->top_n = (int)db_int(rows, 0, "top_n");
	chat->has_passages = db_true(rows, 0, "has_passages");
	chat->mode = db_text(rows, 0, "mode");
	chat->model = db_text(rows, 0, "chat_model");
}

/* Step 1.  From here on the ticket stands for the key. */
static int open_chat(struct chat *chat)
{
	struct task *task = chat->task;
	const char *ticket = secret_new_uuid(task->arena);
	PGresult *rows = db_rows(task, &sql_chat_open, ARGS(chat->slug, chat->message, chat->mode, chat->session, chat->attachments,
		chat->origin, ticket, worker_id()));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return workspace_unknown(task, chat->slug);
	read_opened(chat, rows);
	task->identity.entry = ENTER_BY_TICKET;
	task->identity.ticket = ticket;
	task->identity.chat_id = db_int_arg(task->arena, chat->id);
	return 0;
}

static bool is_query(const struct chat *chat)
{
	return strcmp(chat->mode, "query") == 0;
}

/* Step 2.  Query mode refuses where there is nothing to answer from. */
static int find_passages(struct chat *chat)
{
	if (chat->has_passages) {
		chat->n_passages = retrieve_passages(chat->task, chat->workspace_id, chat->message, chat->top_n, &chat->passages);
		if (chat->n_passages < 0)
			return -1;
	}
	if (is_query(chat) && chat->n_passages == 0) {
		chat->end = CHAT_REFUSED;
		chat->refused_early = !chat->has_passages;
		str_puts(chat->answer, chat->refusal != NULL ? chat->refusal : default_refusal);
	}
	return 0;
}

/* Keep what has come, so that it outlives this process.  A failure here is no reason to end the stream. */
static void checkpoint(struct chat *chat)
{
	int64_t now = clock_ms();

	if (now - chat->checkpoint_ms < CHECKPOINT_MS)
		return;
	chat->checkpoint_ms = now;
	if (db_rows(chat->task, &sql_chat_checkpoint, ARGS(chat->task->identity.chat_id, chat->answer->at)) == NULL)
		fail_clear(chat->task);
}

static int on_text(void *arg, const char *text, size_t len)
{
	struct chat *chat = arg;

	str_add(chat->answer, text, len);
	checkpoint(chat);
	return chat->sink->text(chat, text, len);
}

static int on_silence(void *arg)
{
	struct chat *chat = arg;

	return chat->sink->silence(chat);
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

	chat->provider = provider_default(chat->config);
	if (chat->provider == &provider_quote)
		chat->model = "quote";
	else if (chat->model == NULL)
		chat->model = chat->config->llm_model;
	*call = (struct llm_call){.task = chat->task, .config = chat->config, .model = chat->model,
		.temperature = chat->temperature_text == NULL ? NULL : &chat->temperature, .passages = chat->passages,
		.n_passages = chat->n_passages, .nothing_found = nothing_found, .on_text = on_text, .on_silence = on_silence,
		.gone = on_gone, .arg = chat};
	if (prompt_assemble(chat) < 0)
		return -1;
	chat->started_ms = chat->checkpoint_ms = clock_ms();
	if (chat->provider->complete(call) < 0)
		return -1;
	chat->end = call->stopped ? CHAT_STOPPED : chat->answer->len == 0 ? CHAT_EMPTY : CHAT_ANSWERED;
	return 0;
}

static void put_timestamp(struct str *out)
{
	struct timespec now;
	struct tm utc;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	str_printf(out, "%s.%03ldZ", text, now.tv_nsec / 1000000);
}

/* Tokens, as counted by the provider or estimated; time and speed. */
static void measure(struct chat *chat, bool *estimated)
{
	struct llm_call *call = &chat->call;
	struct str *out = str_new(chat->task->arena);
	double duration = (double)(clock_ms() - chat->started_ms) / 1000;
	size_t bytes = 0;
	int i;

	*estimated = call->prompt_tokens < 0 || call->completion_tokens < 0;
	for (i = 0; i < call->n_messages; i++)
		bytes += strlen(call->messages[i].content);
	if (call->prompt_tokens < 0)
		call->prompt_tokens = prompt_estimate(bytes);
	if (call->completion_tokens < 0)
		call->completion_tokens = prompt_estimate(chat->answer->len);
	str_printf(out, "{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld,\"duration\":", (long long)call->prompt_tokens,
		(long long)call->completion_tokens, (long long)(call->prompt_tokens + call->completion_tokens));
	str_json_number(out, duration);
	str_puts(out, ",\"outputTps\":");
	if (duration > 0)
		str_json_number(out, (double)call->completion_tokens / duration);
	else
		str_puts(out, "null");
	str_puts(out, ",\"model\":");
	str_json_text(out, chat->model == NULL ? "" : chat->model);
	str_printf(out, ",\"provider\":\"%s\",\"timestamp\":\"", chat->provider->name);
	put_timestamp(out);
	str_puts(out, "\"}");
	chat->metrics = out->at;
}

static void list_sources(struct chat *chat)
{
	struct str *out = str_new(chat->task->arena);
	int i;

	str_putc(out, '[');
	for (i = 0; i < chat->n_passages; i++)
		str_printf(out, "%s%s", i == 0 ? "" : ",", chat->passages[i].source);
	str_putc(out, ']');
	chat->sources = out->at;
}

/* Store and charge in one transaction, again and again while the database is away: an answer that has come is not
 * thrown away for a restart of PostgreSQL. */
static int store(struct chat *chat, const char *state, bool include, bool charge, bool estimated, const char *reason)
{
	struct task *task = chat->task;
	struct arena *arena = task->arena;
	const char *close_args[] = {task->identity.chat_id, state, db_bool_arg(include), chat->answer->len == 0 ? NULL : chat->answer->at,
		chat->sources, chat->metrics, reason};
	const char *charge_args[] = {task->identity.chat_id, charge ? chat->provider->name : NULL, chat->model == NULL ? "" : chat->model,
		db_int_arg(arena, chat->call.prompt_tokens), db_int_arg(arena, chat->call.completion_tokens), db_bool_arg(estimated)};
	struct db_call calls[] = {{&sql_chat_close, close_args, 7, NULL}, {&sql_chat_charge, charge_args, 6, NULL}};
	int64_t deadline_ms = clock_ms() + CLOSE_PATIENCE_MS;
	struct timespec pause = {0, 200000000};
	bool tried = false;

	while (db_run(task, calls, charge ? 2 : 1) < 0) {
		if (tried && strcmp(task->failure.code, "chat_gone") == 0)
			break; /* the commit whose outcome we lost did happen: the chat is closed */
		if (task->failure.status != 503 || clock_ms() > deadline_ms)
			return -1;
		tried = true;
		fail_clear(task);
		nanosleep(&pause, NULL);
	}
	fail_clear(task);
	return 0;
}

/* Step 4, after an answer, a refusal or a client that went. */
static int close_chat(struct chat *chat)
{
	bool estimated = false, charge = chat->end != CHAT_REFUSED;

	chat->sources = "[]";
	chat->metrics = "{}";
	if (charge) {
		measure(chat, &estimated);
		list_sources(chat);
	}
	switch (chat->end) {
	case CHAT_ANSWERED:
		return store(chat, "done", true, true, estimated, NULL);
	case CHAT_REFUSED:
		return store(chat, "done", false, false, false, NULL);
	case CHAT_STOPPED:
		return store(chat, "stopped", true, true, estimated, "client_gone");
	default:
		return store(chat, "failed", false, true, estimated, "empty");
	}
}

/* Step 4, after a failure: the reason stays in the task, whatever happens here. */
static void close_failed(struct chat *chat)
{
	struct failure failure = chat->task->failure;
	bool estimated = false, partial = chat->answer->len > 0;

	chat->end = CHAT_FAILED;
	chat->sources = "[]";
	chat->metrics = "{}";
	fail_clear(chat->task);
	if (partial) {
		measure(chat, &estimated);
		list_sources(chat);
	}
	if (store(chat, partial ? "stopped" : "failed", partial, partial, estimated, failure.code) < 0)
		log_event(LOG_ERROR, chat->task, "chat_lost", "chat=%lld problem=\"the outcome of a chat could not be stored\"", (long long)chat->id);
	chat->task->failure = failure;
}

int chat_run(struct chat *chat)
{
	chat->answer = str_new(chat->task->arena);
	chat->sources = "[]";
	chat->metrics = "{}";
	if (open_chat(chat) < 0)
		return -1;
	if (find_passages(chat) < 0 || (chat->end == CHAT_OPEN && complete(chat) < 0)) {
		close_failed(chat);
		return -1;
	}
	if (close_chat(chat) < 0) {
		chat->end = CHAT_FAILED;
		return -1;
	}
	return 0;
}
