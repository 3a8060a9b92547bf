/* SPDX-License-Identifier: ISC */
#include "core/chat.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "core/gather.h"
#include "core/limit.h"
#include "core/opening.h"
#include "core/outcome.h"
#include "core/prompt.h"
#include "core/watch.h"

enum { KEEP_MS = 1000 }; /* how often a partial answer is stored, with the second until the next tick */

static const char nothing_found[] = "Nothing in this workspace's documents matches the question, and no model is "
				    "configured to answer it otherwise.";

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
	chat->called = true;
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
	chat->end = call->stopped ? CHAT_STOPPED : chat->answer->len == 0 && !chat->called ? CHAT_EMPTY : CHAT_ANSWERED;
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
	if (opening_make(chat) < 0)
		return -1;
	arena_later(chat->task->arena, leave_open, NULL);
	metrics_add(METRIC_CHATS_OPEN, 0, 0, 1);
	if (opening_provider(chat) < 0 || gather_passages(chat) < 0 || (chat->end == CHAT_OPEN && complete(chat) < 0))
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
