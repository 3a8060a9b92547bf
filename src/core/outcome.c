/* SPDX-License-Identifier: ISC */
#include "core/outcome.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "core/settle.h"
#include "llm/tools.h"
#include "store/db.h"

enum { CLOSE_PATIENCE_MS = 10000 /* how long the closing commit is tried again */ };

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
	struct llm_usage *usage = &chat->call.usage;
	struct str *out = str_new(chat->task->arena);
	double duration = (double)(clock_ms() - chat->started_ms) / 1000;

	*estimated = usage->prompt_tokens < 0 || usage->completion_tokens < 0;
	if (usage->prompt_tokens < 0)
		usage->prompt_tokens = llm_tokens(chat->prompt_bytes);
	if (usage->completion_tokens < 0)
		usage->completion_tokens =
			llm_tokens(chat->answer->len + (chat->called ? tools_bytes(chat->call.tools) : 0));
	str_printf(out, "{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld,\"duration\":",
		(long long)usage->prompt_tokens, (long long)usage->completion_tokens,
		(long long)(usage->prompt_tokens + usage->completion_tokens));
	str_json_number(out, duration);
	str_puts(out, ",\"outputTps\":");
	if (duration > 0)
		str_json_number(out, (double)usage->completion_tokens / duration);
	else
		str_puts(out, "null");
	str_puts(out, ",\"model\":");
	str_json_text(out, chat->model == NULL ? "" : chat->model);
	str_puts(out, ",\"provider\":");
	str_json_text(out, chat->setup.name);
	str_puts(out, ",\"timestamp\":\"");
	put_timestamp(out);
	str_puts(out, "\"}");
	chat->metrics = out->at;
}

static void list_sources(struct chat *chat)
{
	struct str *out = str_new(chat->task->arena);
	int i;

	str_putc(out, '[');
	for (i = 0; i < chat->n_cited; i++)
		if (chat->passages[i].source != NULL) /* a text that came with the question is in no document */
			str_printf(out, "%s%s", out->len == 1 ? "" : ",", chat->passages[i].source);
	str_putc(out, ']');
	chat->sources = out->at;
}

/* Once it is certain what becomes of it. */
static void count(const struct chat *chat, const char *state, bool charged)
{
	int provider;

	metrics_add(METRIC_CHATS, metrics_place(LABEL_OUTCOME, state), 0, 1);
	if (!charged)
		return; /* it may not even be known who was to answer */
	provider = metrics_provider(chat->setup.name, METRICS_CHAT);
	metrics_add(METRIC_TOKENS, provider, METRICS_IN, chat->call.usage.prompt_tokens);
	metrics_add(METRIC_TOKENS, provider, METRICS_OUT, chat->call.usage.completion_tokens);
}

/* The client is told that the chat has failed; what came is stored as soon as the database is there again. */
static void give_up(const struct chat *chat, const char **args, bool include)
{
	if (strcmp(args[3], "done") == 0) {
		args[3] = include ? "stopped" : "failed";
		args[8] = "database_unavailable";
	}
	if (settle_later(args, 14))
		settle_known(chat->doubt);
}

/* Store and charge in one transaction, again and again while the database is away: an answer that has come is not
 * thrown away for a restart of PostgreSQL. */
static int store(struct chat *chat, const char *state, bool include, bool charge, bool estimated, const char *reason)
{
	struct task *task = chat->task;
	const struct identity who = task->identity;
	const struct llm_usage *usage = &chat->call.usage;
	const char *args[] = {db_int_arg(task->arena, who.tenant_id), who.chat_id, who.ticket, state,
		db_bool_arg(include), chat->answer->len == 0 ? NULL : chat->answer->at, chat->sources, chat->metrics,
		reason, charge ? chat->setup.name : NULL, chat->model == NULL ? "" : chat->model,
		db_int_arg(task->arena, usage->prompt_tokens), db_int_arg(task->arena, usage->completion_tokens),
		db_bool_arg(estimated)};
	int64_t deadline_ms = clock_ms() + CLOSE_PATIENCE_MS;
	bool tried = false;

	chat->closing = true;
	chat->charged = charge;
	task->identity.entry = ENTER_NOTHING; /* close_chat() begins its transaction by the ticket itself */
	while (db_rows(task, &sql_chat_close, args, 14) == NULL) {
		if (tried && strcmp(task->failure.code, "chat_gone") == 0)
			break; /* the commit whose outcome we lost did happen: the chat is closed */
		if (task->failure.status != 503) {
			count(chat, "lost", false);
			return -1;
		}
		if (clock_ms() > deadline_ms) {
			give_up(chat, args, include);
			count(chat, args[3], charge);
			return -1;
		}
		tried = true;
		fail_clear(task);
		clock_pause_ms(200);
	}
	fail_clear(task);
	settle_known(chat->doubt);
	count(chat, state, charge);
	chat->stored = true;
	return 0;
}

int outcome_store(struct chat *chat)
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

/* What came is stored as stopped; nothing, as failed.  Calls of tools are no text, but the model has made them. */
static int store_failure(void *arg)
{
	struct chat *chat = arg;
	bool estimated = false, partial = chat->answer->len > 0, charge = partial || chat->called;

	if (charge) {
		measure(chat, &estimated);
		list_sources(chat);
	}
	return store(chat, partial ? "stopped" : "failed", partial, charge, estimated, chat->reason);
}

void outcome_store_failure(struct chat *chat)
{
	struct failure failure = chat->task->failure;

	chat->end = CHAT_FAILED;
	chat->sources = "[]";
	chat->metrics = "{}";
	chat->reason = failure.code;
	fail_clear(chat->task);
	if (task_attempt(chat->task, store_failure, chat) < 0)
		log_event(LOG_ERROR, chat->task, "chat_lost",
			"chat=%lld problem=\"the outcome of a chat could not be stored\"", (long long)chat->id);
	chat->task->failure = failure;
}
