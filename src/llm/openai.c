/* SPDX-License-Identifier: ISC
 * Providers that speak OpenAI's chat completions, streamed. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/sse.h"
#include "base/utf8.h"
#include "llm/asking.h"
#include "llm/lenient.h"
#include "llm/provider.h"
#include "llm/slots.h"
#include "llm/tools.h"

enum {
	MAX_ANSWER = 16 << 20, /* bytes of text; more is cut with finish reason length */
	MAX_BODY = 1 << 20,    /* bytes kept of an answer that is no stream */
};

static const struct asking_kind upstream = {.codes = ASKING_CODES("upstream"),
	.noun = "The model's provider",
	.given = "the request",
	.refused_status = 400,
	.tries = 3,
	.pause_ms = 200,
	.call = METRICS_CHAT};

/* What has come so far. */
struct reading {
	struct asking asking; /* first: the reading is known by it */
	struct llm_call *call;
	struct sse sse;
	struct arena *request; /* holds the body that is sent; NULL: given back */
	struct arena *small;   /* emptied after each event */
	struct tools tools;
	struct utf8_stream clean;
	struct str *text; /* one delta, cleaned */
	struct str *body; /* an answer that is no stream */
	size_t answered;
	bool streamed; /* it is an event stream */
	bool finished; /* the model said it had come to its end */
	bool done;     /* [DONE] */
	bool failed;   /* an error object came; the reason is in the task */
};

/* The request: messages, and the question for usage at the end of the stream. */
static struct str *write_body(struct llm_call *call, struct arena *arena)
{
	struct str *body = str_new(arena);
	int i, k;

	str_puts(body, "{\"model\":");
	str_json_text(body, call->model == NULL ? "" : call->model);
	str_puts(body, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
	if (call->temperature != NULL) {
		str_puts(body, ",\"temperature\":");
		str_json_number(body, *call->temperature);
	}
	str_puts(body, call->parameters);
	str_puts(body, ",\"messages\":[");
	for (i = 0; i < call->n_messages; i++) {
		const struct llm_message *message = &call->messages[i];

		if (message->raw != NULL) {
			str_printf(body, "%s%s", i == 0 ? "" : ",", message->raw);
			continue;
		}
		str_printf(body, "%s{\"role\":\"%s\",\"content\":", i == 0 ? "" : ",", message->role);
		if (message->images == NULL) {
			str_json_text(body, message->content);
		} else {
			str_puts(body, "[{\"type\":\"text\",\"text\":");
			str_json_text(body, message->content);
			for (k = 0; message->images[k] != NULL; k++) {
				str_puts(body, "},{\"type\":\"image_url\",\"image_url\":{\"url\":");
				str_json_text(body, message->images[k]);
				str_puts(body, "}");
			}
			str_puts(body, "}]");
		}
		str_puts(body, "}");
	}
	str_puts(body, "]}");
	return body;
}

/* An answer that does not end is cut. */
static int cut_if_endless(struct reading *reading)
{
	if (reading->answered <= MAX_ANSWER)
		return 0;
	reading->call->finish_reason = "length";
	reading->finished = true;
	return -1;
}

/* Give a piece of text on.  -1 to stop. */
static int pass_on(struct reading *reading, const char *text, size_t len, enum llm_kind kind, bool last)
{
	str_clear(reading->text);
	utf8_clean(&reading->clean, text, len, last, reading->text);
	if (reading->text->len == 0)
		return 0;
	reading->answered += reading->text->len;
	if (reading->call->on_text(reading->call->arg, reading->text->at, reading->text->len, kind) != 0) {
		reading->call->stopped = true;
		return -1;
	}
	return cut_if_endless(reading);
}

static struct json_object *member(struct json_object *object, const char *name, enum json_type type)
{
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, name, &value))
		return NULL;
	return json_object_is_type(value, type) ? value : NULL;
}

static int64_t count(struct json_object *usage, const char *name)
{
	struct json_object *value = member(usage, name, json_type_int);
	int64_t n = value == NULL ? -1 : json_object_get_int64(value);

	return n < 0 || n > 1000000000 ? -1 : n;
}

static int pass_text(struct reading *reading, struct json_object *text, enum llm_kind kind)
{
	if (!json_object_is_type(text, json_type_string))
		return 0;
	return pass_on(reading, json_object_get_string(text), (size_t)json_object_get_string_len(text), kind, false);
}

/* Mistral's reasoning models send lists: texts, and parts `thinking` that hold a list of such parts or a text. */
static int pass_parts(struct reading *reading, struct json_object *list, enum llm_kind kind)
{
	size_t i, n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	struct json_object *part, *thinking;
	int stop = 0;

	for (i = 0; i < n && stop == 0; i++) {
		part = json_object_array_get_idx(list, i);
		thinking =
			json_object_is_type(part, json_type_object) ? json_object_object_get(part, "thinking") : NULL;
		stop = pass_text(reading, member(part, "text", json_type_string), kind);
		if (stop == 0)
			stop = pass_text(reading, thinking, LLM_REASONING);
		if (stop == 0 && kind == LLM_TEXT)
			stop = pass_parts(reading, thinking, LLM_REASONING);
	}
	return stop;
}

/* Reasoning has two names; who sends both means the same by them. */
static int pass_reasoning(struct reading *reading, struct json_object *delta)
{
	struct json_object *text = member(delta, "reasoning_content", json_type_string);
	bool said = text != NULL && json_object_get_string_len(text) > 0;

	return pass_text(reading, said ? text : member(delta, "reasoning", json_type_string), LLM_REASONING);
}

static int pass_content(struct reading *reading, struct json_object *delta)
{
	struct json_object *content = json_object_object_get(delta, "content");
	int stop = pass_text(reading, content, LLM_TEXT);

	if (stop == 0)
		stop = pass_parts(reading, content, LLM_TEXT);
	return stop == 0 ? pass_text(reading, member(delta, "refusal", json_type_string), LLM_REFUSAL) : stop;
}

static int pass_tool_calls(struct reading *reading, struct json_object *from)
{
	struct json_object *calls = member(from, "tool_calls", json_type_array);
	struct str *out;

	if (calls == NULL || reading->call->on_tool_calls == NULL)
		return 0;
	out = str_new(reading->small);
	str_putc(out, '[');
	tools_take(&reading->tools, calls, out);
	if (out->len == 1)
		return 0;
	str_putc(out, ']');
	reading->answered += out->len;
	if (reading->call->on_tool_calls(reading->call->arg, out->at, out->len) != 0) {
		reading->call->stopped = true;
		return -1;
	}
	return cut_if_endless(reading);
}

static void note_finish(struct reading *reading, struct json_object *choice)
{
	static const char *const known[] = {"stop", "length", "content_filter", "tool_calls"};
	struct json_object *reason = member(choice, "finish_reason", json_type_string);
	size_t i;

	if (reason == NULL)
		return;
	reading->finished = true;
	reading->call->finish_reason = "stop";
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(json_object_get_string(reason), known[i]) == 0)
			reading->call->finish_reason = known[i];
}

/* A word of the provider's for the log: only one that cannot hold a key. */
static const char *plain_word(struct json_object *error, const char *name)
{
	struct json_object *value = member(error, name, json_type_string);
	const char *word = value == NULL ? "" : json_object_get_string(value);

	return strlen(word) <= 40 && word[strspn(word, "abcdefghijklmnopqrstuvwxyz_")] == '\0' ? word : "";
}

/* The provider's own words go nowhere: they may hold its address, our key, or the question. */
static int upstream_error(struct reading *reading, struct json_object *error)
{
	log_event(LOG_WARNING, reading->call->task, "provider_error", "type=%s code=%s", plain_word(error, "type"),
		plain_word(error, "code"));
	reading->failed = true;
	return fail(reading->call->task, 502, "upstream_error", "The model's provider reported an error.");
}

/* A chunk of a stream (delta), or a whole answer (message). */
static int take_answer(struct reading *reading, struct json_object *answer, const char *part)
{
	struct json_object *choices = member(answer, "choices", json_type_array), *choice, *delta, *usage, *error;
	int stop = 0;

	if (json_object_object_get_ex(answer, "error", &error) && error != NULL)
		return upstream_error(reading, error);
	usage = member(answer, "usage", json_type_object);
	if (usage != NULL)
		reading->call->usage = (struct llm_usage){count(usage, "prompt_tokens"),
			count(usage, "completion_tokens"),
			count(member(usage, "prompt_tokens_details", json_type_object), "cached_tokens"),
			count(member(usage, "completion_tokens_details", json_type_object), "reasoning_tokens")};
	if (choices == NULL || json_object_array_length(choices) == 0)
		return 0;
	choice = json_object_array_get_idx(choices, 0);
	delta = member(choice, part, json_type_object);
	if (delta != NULL) {
		stop = pass_reasoning(reading, delta);
		if (stop == 0)
			stop = pass_content(reading, delta);
		if (stop == 0)
			stop = pass_tool_calls(reading, delta);
	}
	note_finish(reading, choice);
	return stop;
}

static int bad_answer(struct reading *reading)
{
	reading->failed = true;
	return asking_invalid(&reading->asking);
}

/* Parse with memory of its own, so that a long stream takes no more than a short one. */
static int take_json(struct reading *reading, const char *text, size_t len, const char *part)
{
	struct task parsing = {.arena = reading->small, .id = reading->call->task->id, .gone_fd = -1};
	struct str *clean = str_new(reading->small);
	struct json_object *answer;
	int stop;

	lenient_clean(clean, text, len);
	answer = json_read(&parsing, clean->at, clean->len);
	if (json_object_is_type(answer, json_type_object))
		stop = take_answer(reading, answer, part);
	else
		stop = bad_answer(reading);
	arena_empty(reading->small);
	return stop;
}

static int on_event(void *arg, const char *event, const char *data, size_t len)
{
	struct reading *reading = arg;

	if (reading->done || (*event != '\0' && strcmp(event, "message") != 0 && strcmp(event, "error") != 0))
		return 0;
	if (len >= 6 && memcmp(data, "[DONE]", 6) == 0) {
		reading->done = true;
		return 0;
	}
	return take_json(reading, data, len, "delta");
}

static int on_data(struct asking *asking, const char *bytes, size_t len)
{
	struct reading *reading = (struct reading *)asking;
	struct http_call *http = &asking->http;
	int stop;

	if (reading->body->len == 0 && !reading->streamed)
		reading->streamed = http->status == 200 && strcmp(http->type, "text/event-stream") == 0;
	if (!reading->streamed) {
		if (reading->body->len + len > MAX_BODY)
			return bad_answer(reading);
		str_add(reading->body, bytes, len);
		return 0;
	}
	stop = sse_feed(&reading->sse, bytes, len);
	if (stop == -2)
		bad_answer(reading);
	http->enough = reading->done; /* behind [DONE] only the end of the body may come */
	/* Nothing is asked twice once text has come: a long history need not be held while the rest does. */
	if (reading->request != NULL && reading->answered > 0 && http->sent) {
		arena_empty(reading->request);
		reading->request = NULL;
	}
	return stop != 0 ? -1 : 0;
}

static int on_silence(void *arg)
{
	struct reading *reading = arg;

	return reading->call->on_silence == NULL ? 0 : reading->call->on_silence(reading->call->arg);
}

static bool on_gone(void *arg)
{
	struct reading *reading = arg;

	return reading->call->gone != NULL && reading->call->gone(reading->call->arg);
}

/* It came to its end: as a stream that said so, or as a whole object. */
static int judge_done(struct reading *reading)
{
	if (!reading->streamed && take_json(reading, reading->body->at, reading->body->len, "message") < 0)
		return reading->call->stopped || reading->finished ? 0 : -1;
	if (!reading->streamed && (reading->finished || reading->answered > 0))
		return 0;
	return fail(reading->call->task, 502, "upstream_cut", "The model's provider broke off its answer.");
}

static int judge(struct reading *reading)
{
	if (reading->asking.http.end == HTTP_CLIENT_GONE)
		reading->call->stopped = true;
	if (reading->call->stopped)
		return 0;
	if (reading->failed)
		return -1;
	if (reading->done || reading->finished)
		return 0;
	return asking_judge(&reading->asking) < 0 ? -1 : judge_done(reading);
}

/* After this nobody is asked again. */
static bool spent(const struct asking *asking)
{
	const struct reading *reading = (const struct reading *)asking;

	return reading->answered > 0 || reading->failed || reading->call->stopped;
}

static void begin(struct asking *asking)
{
	struct reading *reading = (struct reading *)asking;

	str_clear(reading->body);
	sse_open(&reading->sse, reading->call->task->arena, on_event, reading);
	reading->streamed = false;
	reading->call->usage = LLM_UNCOUNTED;
	reading->call->finish_reason = "stop";
}

static struct reading *reading_new(struct llm_call *call, struct arena *request, const struct str *body)
{
	struct arena *arena = call->task->arena;
	struct reading *reading = arena_get(arena, sizeof(*reading));

	reading->call = call;
	reading->request = request;
	reading->small = arena_within(arena);
	reading->tools.arena = arena;
	reading->text = str_new(arena);
	reading->body = str_new(arena);
	reading->asking = (struct asking){.task = call->task,
		.config = call->config,
		.kind = &upstream,
		.provider = call->setup->name,
		.guarded = call->setup->guarded,
		.begin = begin,
		.data = on_data,
		.spent = spent,
		.http = {.url = asking_url(arena, call->setup->url, "/chat/completions"),
			.body = body->at,
			.body_len = body->len,
			.first_timeout_s = call->config->llm_first_timeout_s,
			.idle_timeout_s = call->config->llm_idle_timeout_s,
			.total_timeout_s = call->config->llm_total_timeout_s,
			.silence_s = call->config->keepalive_s,
			.silence = on_silence,
			.gone = on_gone}};
	return reading;
}

static int ask(struct llm_call *call, struct arena *request, const struct str *body)
{
	const char *headers[] = {"Content-Type: application/json", "Accept: text/event-stream, application/json",
		asking_key(call->task->arena, call->setup->key), NULL};
	struct reading *reading = reading_new(call, request, body);
	struct http_call *http = &reading->asking.http;

	http->headers = headers;
	asking_run(&reading->asking);
	if (reading->streamed && http->end == HTTP_DONE)
		sse_end(&reading->sse);
	if (judge(reading) < 0)
		return -1;
	if (!call->stopped && reading->answered <= MAX_ANSWER)
		pass_on(reading, "", 0, LLM_TEXT, true);
	if (reading->tools.n_told > 0 && strcmp(call->finish_reason, "stop") == 0)
		call->finish_reason = "tool_calls";
	return 0;
}

static int complete(struct llm_call *call)
{
	struct arena *request = arena_within(call->task->arena);
	struct str *body = write_body(call, request);
	int result = slots_hold(call->task, call->task->arena, call->setup->url, 0);

	call->on_asked(call->arg);
	if (result == 0)
		result = ask(call, request, body);
	return result == 0 ? 0 : asking_failed(call->task, &upstream, call->setup->name);
}

const struct provider provider_openai = {"openai", complete};
