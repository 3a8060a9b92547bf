/* SPDX-License-Identifier: ISC
 * OpenAI's chat completions: the answer as one object or as chunks. */
#include "api/openai/question.h"

#include <string.h>
#include <time.h>

#include "api/api.h"
#include "api/openwebui/sources.h"
#include "llm/tools.h"
#include "store/secret.h"
#include "web/reply.h"
#include "web/stream.h"

/* Each chunk begins alike: id, object, created, model. */
static struct str *begin_chunk(struct completion *c)
{
	struct str *out = c->event;

	str_clear(out);
	str_puts(out, c->head);
	str_puts(out, ",\"choices\":[{\"index\":0,\"delta\":{");
	return out;
}

static int end_chunk(struct completion *c, const char *finish_reason, const char *more)
{
	struct str *out = c->event;

	str_puts(out, "},\"logprobs\":null,\"finish_reason\":");
	str_json_text(out, finish_reason);
	str_printf(out, "}]%s%s}", c->include_usage ? ",\"usage\":null" : "", more);
	return stream_event(&c->stream, out->at, out->len);
}

/* The role stands once, in a chunk of its own before the first text.  Open WebUI's readers look for sources in the
 * first frame and for nothing else there; others find a choice in it, as in all. */
static int send_role(struct completion *c)
{
	const char *sources;

	if (c->role_sent)
		return 0;
	c->role_sent = true;
	sources = c->webui ? openwebui_sources(&c->chat) : NULL;
	str_puts(begin_chunk(c), "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
	return end_chunk(c, NULL, sources == NULL ? "" : arena_printf(c->req->task.arena, ",\"sources\":%s", sources));
}

static int send_delta(struct completion *c, const char *name, const char *text, size_t len)
{
	struct str *out;

	if (send_role(c) != 0)
		return -1;
	out = begin_chunk(c);
	str_printf(out, "\"%s\":", name);
	str_json(out, text, len);
	return end_chunk(c, NULL, "");
}

static int on_text(struct chat *chat, const char *text, size_t len)
{
	struct completion *c = chat->dialect;

	if (c->streamed)
		return send_delta(c, "content", text, len);
	str_add(c->content, text, len);
	return 0;
}

static int on_reasoning(struct chat *chat, const char *text, size_t len)
{
	struct completion *c = chat->dialect;

	if (c->streamed)
		return send_delta(c, "reasoning_content", text, len);
	str_add(c->reasoning, text, len);
	return 0;
}

static int on_refusal(struct chat *chat, const char *text, size_t len)
{
	struct completion *c = chat->dialect;

	if (c->streamed)
		return send_delta(c, "refusal", text, len);
	str_add(c->refusal, text, len);
	return 0;
}

static int on_tool_calls(struct chat *chat, const char *json, size_t len)
{
	struct completion *c = chat->dialect;
	struct str *out;

	if (!c->streamed)
		return 0; /* told whole, at the end */
	if (send_role(c) != 0)
		return -1;
	out = begin_chunk(c);
	str_puts(out, "\"tool_calls\":");
	str_add(out, json, len);
	return end_chunk(c, NULL, "");
}

static int on_silence(struct chat *chat)
{
	struct completion *c = chat->dialect;

	return c->streamed ? stream_comment(&c->stream) : 0;
}

static bool on_gone(struct chat *chat)
{
	struct completion *c = chat->dialect;

	return wire_gone(c->req->wire);
}

static const struct chat_sink sink = {on_text, on_reasoning, on_refusal, on_tool_calls, on_silence, on_gone};

/* What the provider said of it, if it did. */
static const char *detail_of(struct completion *c, const char *member, const char *name, int64_t n)
{
	return n < 0 ? "" : arena_printf(c->req->task.arena, ",\"%s\":{\"%s\":%lld}", member, name, (long long)n);
}

/* Token counts; under /v1/openai with AnythingLLM's further members. */
static const char *usage_of(struct completion *c)
{
	const struct chat *chat = &c->chat;
	const struct llm_usage *usage = &chat->call.usage;

	if (chat->end == CHAT_REFUSED)
		return "{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}";
	if (c->native)
		return chat->metrics;
	return arena_printf(c->req->task.arena,
		"{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld%s%s}",
		(long long)usage->prompt_tokens, (long long)usage->completion_tokens,
		(long long)(usage->prompt_tokens + usage->completion_tokens),
		detail_of(c, "prompt_tokens_details", "cached_tokens", usage->cached_tokens),
		detail_of(c, "completion_tokens_details", "reasoning_tokens", usage->reasoning_tokens));
}

static const char *finish_of(const struct chat *chat)
{
	return chat->end == CHAT_REFUSED || chat->call.finish_reason == NULL ? "stop" : chat->call.finish_reason;
}

static const char *sources_of(struct completion *c)
{
	const char *sources = c->webui && !c->streamed ? openwebui_sources(&c->chat) : NULL;

	if (c->webui)
		return sources == NULL ? "" : arena_printf(c->req->task.arena, ",\"sources\":%s", sources);
	return arena_printf(c->req->task.arena, ",\"sources\":%s", c->chat.sources);
}

static void finish_stream(struct completion *c)
{
	struct str *out = c->event;
	struct chat *chat = &c->chat;
	const char *more = sources_of(c);

	if (chat->end == CHAT_REFUSED)
		send_delta(c, "content", chat->answer->at, chat->answer->len);
	send_role(c);
	if (c->native && !c->include_usage)
		more = arena_printf(c->req->task.arena, "%s,\"usage\":%s", more, usage_of(c));
	str_puts(begin_chunk(c), "\"content\":\"\"");
	end_chunk(c, finish_of(chat), more);
	if (c->include_usage) {
		str_clear(out);
		str_printf(out, "%s,\"choices\":[],\"usage\":%s}", c->head, usage_of(c));
		stream_event(&c->stream, out->at, out->len);
	}
	stream_event(&c->stream, "[DONE]", 6);
}

static int finish_object(struct completion *c)
{
	struct str *out = c->event;
	struct chat *chat = &c->chat;
	const char *calls = chat->called ? tools_whole(chat->call.tools, c->req->task.arena) : NULL;

	if (chat->end == CHAT_REFUSED)
		str_add(c->content, chat->answer->at, chat->answer->len);
	str_clear(out);
	str_puts(out, c->head);
	str_puts(out, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
	if (c->content->len == 0 && (calls != NULL || c->refusal->len > 0))
		str_puts(out, "null");
	else
		str_json(out, c->content->at, c->content->len);
	str_puts(out, ",\"refusal\":");
	if (c->refusal->len == 0)
		str_puts(out, "null");
	else
		str_json(out, c->refusal->at, c->refusal->len);
	if (c->reasoning->len > 0) {
		str_puts(out, ",\"reasoning_content\":");
		str_json(out, c->reasoning->at, c->reasoning->len);
	}
	if (calls != NULL)
		str_printf(out, ",\"tool_calls\":%s", calls);
	str_printf(out, "},\"logprobs\":null,\"finish_reason\":\"%s\"}],\"usage\":%s%s}", finish_of(chat), usage_of(c),
		sources_of(c));
	return reply_json(c->req, 200, out->at, out->len);
}

/* The status is 200 already: the error is the last event, and nothing that could be taken for an end follows. */
static void send_error(struct completion *c)
{
	const struct failure *failure = &c->req->task.failure;
	struct str *out = c->event;

	str_clear(out);
	str_puts(out, "{\"error\":{\"message\":");
	str_json_text(out, failure->message);
	str_puts(out, ",\"type\":\"server_error\",\"param\":null,\"code\":");
	str_json_text(out, failure->code);
	str_puts(out, "}}");
	stream_event(&c->stream, out->at, out->len);
}

static void write_head(struct completion *c, const char *model)
{
	struct str *head = str_new(c->req->task.arena);

	str_printf(head, "{\"id\":\"chatcmpl-%s\",\"object\":\"%s\",\"created\":%lld,\"model\":",
		secret_new_uuid(c->req->task.arena), c->streamed ? "chat.completion.chunk" : "chat.completion",
		(long long)time(NULL));
	str_json_text(head, model);
	c->head = head->at;
}

int openai_chat_completions(struct request *req)
{
	struct completion *c = arena_get(req->task.arena, sizeof(*c));
	const char *model;

	c->req = req;
	c->native = req->route->form == FORM_NATIVE_OPENAI;
	c->event = str_new(req->task.arena);
	c->content = str_new(req->task.arena);
	c->reasoning = str_new(req->task.arena);
	c->refusal = str_new(req->task.arena);
	c->chat = (struct chat){.task = &req->task,
		.config = req->config,
		.origin = "openai",
		.attachments = "[]",
		.sink = &sink,
		.dialect = c};
	if (question_read(c, &model) < 0)
		return -1;
	stream_open(&c->stream, req, "text/event-stream; charset=utf-8");
	write_head(c, model);
	if (chat_run(&c->chat) < 0) {
		if (!c->stream.begun)
			return question_unknown(c, model);
		send_error(c);
		return 0;
	}
	if (c->chat.end == CHAT_STOPPED)
		return 0;
	if (!c->streamed)
		return finish_object(c);
	finish_stream(c);
	return 0;
}
