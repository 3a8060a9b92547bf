/* SPDX-License-Identifier: ISC
 * Providers that speak OpenAI's chat completions, streamed. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/sse.h"
#include "base/utf8.h"
#include "llm/lenient.h"
#include "llm/provider.h"
#include "llm/slots.h"

enum {
	MAX_ANSWER = 16 << 20, /* bytes of text; more is cut with finish reason length */
	MAX_BODY = 1 << 20,    /* bytes kept of an answer that is no stream */
	MAX_TOOL_CALLS = 128,
	MAX_TRIES = 3,
	FIRST_PAUSE_MS = 200, /* before the second try; twice that before the third */
	MAX_PAUSE_S = 2,      /* a provider that asks for more is not waited for */
};

/* What has come so far. */
struct reading {
	struct llm_call *call;
	struct http_call *http;
	struct sse sse;
	struct arena *request; /* holds the body that is sent; NULL: given back */
	struct arena *small;   /* emptied after each event */
	struct utf8_stream clean;
	struct str *text; /* one delta, cleaned */
	struct str *body; /* an answer that is no stream */
	size_t answered;
	bool streamed; /* it is an event stream */
	bool finished; /* the model said it had come to its end */
	bool tools;    /* calls of tools have come */
	bool done;     /* [DONE] */
	bool failed;   /* an error object came; the reason is in the task */
	int name;      /* the provider's place among the metrics */
	int64_t asked_us;
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
static int pass_on(struct reading *reading, const char *text, size_t len, bool reasoning, bool last)
{
	str_clear(reading->text);
	utf8_clean(&reading->clean, text, len, last, reading->text);
	if (reading->text->len == 0)
		return 0;
	reading->answered += reading->text->len;
	if (reading->call->on_text(reading->call->arg, reading->text->at, reading->text->len, reasoning) != 0) {
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

static int pass_text(struct reading *reading, struct json_object *from, const char *name, bool reasoning)
{
	struct json_object *text = member(from, name, json_type_string);

	if (text == NULL)
		return 0;
	return pass_on(
		reading, json_object_get_string(text), (size_t)json_object_get_string_len(text), reasoning, false);
}

/* Append one piece of a call with the index that clients put pieces together by: its own, or its place when it has
 * none, as in an answer that is no stream.  What is no piece of a call is left out. */
static void put_tool_call(struct str *out, struct json_object *piece, size_t place)
{
	struct json_object *index;

	if (!json_object_is_type(piece, json_type_object))
		return;
	if (!json_object_object_get_ex(piece, "index", &index))
		json_object_object_add(piece, "index", json_object_new_int64((int64_t)place));
	else if (!json_object_is_type(index, json_type_int) || json_object_get_int64(index) < 0 ||
		 json_object_get_int64(index) >= MAX_TOOL_CALLS)
		return;
	str_puts(out, out->len == 1 ? "" : ",");
	str_puts(out, json_object_to_json_string_ext(piece, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static int pass_tool_calls(struct reading *reading, struct json_object *from)
{
	struct json_object *calls = member(from, "tool_calls", json_type_array);
	size_t n = calls == NULL ? 0 : json_object_array_length(calls), i;
	struct str *out;

	if (n == 0 || reading->call->on_tool_calls == NULL)
		return 0;
	out = str_new(reading->small);
	str_putc(out, '[');
	for (i = 0; i < n; i++)
		put_tool_call(out, json_object_array_get_idx(calls, i), i);
	if (out->len == 1)
		return 0;
	str_putc(out, ']');
	reading->tools = true;
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
	if (usage != NULL) {
		reading->call->usage.prompt_tokens = count(usage, "prompt_tokens");
		reading->call->usage.completion_tokens = count(usage, "completion_tokens");
	}
	if (choices == NULL || json_object_array_length(choices) == 0)
		return 0;
	choice = json_object_array_get_idx(choices, 0);
	delta = member(choice, part, json_type_object);
	if (delta != NULL) {
		stop = pass_text(reading, delta, "reasoning_content", true);
		if (stop == 0)
			stop = pass_text(reading, delta, "content", false);
		if (stop == 0)
			stop = pass_tool_calls(reading, delta);
	}
	note_finish(reading, choice);
	return stop;
}

static int bad_answer(struct reading *reading)
{
	reading->failed = true;
	return fail(
		reading->call->task, 502, "upstream_invalid", "The model's provider sent something that is no answer.");
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

static int on_data(void *arg, const char *bytes, size_t len)
{
	struct reading *reading = arg;
	int stop;

	if (reading->asked_us != 0 && reading->http->status == 200)
		metrics_observe(METRIC_FIRST_BYTE, reading->name, clock_us() - reading->asked_us);
	reading->asked_us = 0;
	if (reading->body->len == 0 && !reading->streamed)
		reading->streamed =
			reading->http->status == 200 && strcmp(reading->http->type, "text/event-stream") == 0;
	if (!reading->streamed) {
		if (reading->body->len + len > MAX_BODY)
			return bad_answer(reading);
		str_add(reading->body, bytes, len);
		return 0;
	}
	stop = sse_feed(&reading->sse, bytes, len);
	if (stop == -2)
		bad_answer(reading);
	reading->http->enough = reading->done; /* behind [DONE] only the end of the body may come */
	/* Nothing is asked twice once text has come: a long history need not be held while the rest does. */
	if (reading->request != NULL && reading->answered > 0 && reading->http->sent) {
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

/* An answer with a status that is not 200. */
static int refused(struct reading *reading)
{
	struct task *task = reading->call->task;
	int status = reading->http->status;

	log_event(LOG_WARNING, task, "provider_status", "provider=%s status=%d", reading->call->setup->name, status);
	if (status == 429 || status == 503 || status == 529)
		task->failure.retry_after_s = reading->http->retry_after_s > 0 ? reading->http->retry_after_s : 1;
	if (status == 429)
		return fail(task, 429, "upstream_busy", "The model's provider takes no more requests at the moment.");
	if (status == 503 || status == 529)
		return fail(task, 503, "upstream_unavailable", "The model's provider is not available at the moment.");
	if (status == 404)
		return fail(task, 502, "upstream_model", "The model's provider does not know the model.");
	if (status == 400 || status == 413 || status == 422)
		return fail(task, 400, "upstream_refused", "The model's provider refused the request with status %d.",
			status);
	return fail(task, 502, "upstream_error", "The model's provider answered with status %d.", status);
}

/* It came to its end: as a stream that said so, or as a whole object. */
static int judge_done(struct reading *reading)
{
	if (reading->http->status != 200)
		return refused(reading);
	if (!reading->streamed && take_json(reading, reading->body->at, reading->body->len, "message") < 0)
		return reading->call->stopped || reading->finished ? 0 : -1;
	if (!reading->streamed && (reading->finished || reading->answered > 0))
		return 0;
	return fail(reading->call->task, 502, "upstream_cut", "The model's provider broke off its answer.");
}

static int judge(struct reading *reading)
{
	struct task *task = reading->call->task;

	if (reading->http->end == HTTP_CLIENT_GONE)
		reading->call->stopped = true;
	if (reading->call->stopped)
		return 0;
	if (reading->failed)
		return -1;
	if (reading->done || reading->finished)
		return 0;
	switch (reading->http->end) {
	case HTTP_UNREACHABLE:
		return fail(task, 502, "upstream_unreachable", "The model's provider cannot be reached.");
	case HTTP_FORBIDDEN:
		return fail(task, 502, "upstream_forbidden",
			"The model's provider is at an address that is not permitted.");
	case HTTP_CONNECT_TIMEOUT:
	case HTTP_FIRST_TIMEOUT:
	case HTTP_IDLE_TIMEOUT:
		return fail(task, 504, "upstream_timeout", "The model's provider did not answer in time.");
	case HTTP_TASK_STOPPED:
		return fail_if_stopped(task);
	case HTTP_DONE:
		return judge_done(reading);
	default:
		return fail(task, 502, "upstream_cut", "The model's provider broke off its answer.");
	}
}

/* Only before the first byte may a call be made again: nothing has been paid for, nothing shown. */
static bool worth_another(const struct reading *reading)
{
	const struct http_call *http = reading->http;

	if (reading->answered > 0 || reading->failed || reading->call->stopped)
		return false;
	if (http->end == HTTP_UNREACHABLE || (http->end == HTTP_BROKEN && http->status == 0))
		return true;
	return http->end == HTTP_DONE && http->retry_after_s <= MAX_PAUSE_S &&
	       (http->status == 429 || http->status == 500 || (http->status >= 502 && http->status <= 504));
}

/* Wait before the next try; false when the client leaves meanwhile. */
static bool pause_before(struct llm_call *call, int try, int retry_after_s)
{
	int wait_ms = retry_after_s > 0 ? retry_after_s * 1000 : try * FIRST_PAUSE_MS;
	struct pollfd client = {.fd = call->task->gone_fd, .events = POLLIN};

	if (poll(&client, 1, wait_ms) > 0 && call->gone != NULL && call->gone(call->arg))
		call->stopped = true;
	return !call->stopped;
}

static void reading_begin(struct reading *reading)
{
	str_clear(reading->body);
	sse_open(&reading->sse, reading->call->task->arena, on_event, reading);
	reading->streamed = false;
	reading->asked_us = clock_us();
	reading->call->usage = (struct llm_usage){-1, -1};
	reading->call->finish_reason = "stop";
}

static struct reading *reading_new(struct llm_call *call, struct http_call *http, struct arena *request)
{
	struct arena *arena = call->task->arena;
	struct reading *reading = arena_get(arena, sizeof(*reading));

	reading->call = call;
	reading->http = http;
	reading->request = request;
	reading->small = arena_within(arena);
	reading->text = str_new(arena);
	reading->body = str_new(arena);
	reading->name = metrics_provider(call->setup->name, METRICS_CHAT);
	return reading;
}

static int without_slash(const char *url)
{
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	return (int)len;
}

static void try_once(struct reading *reading)
{
	const struct http_call *http = reading->http;

	reading_begin(reading);
	metrics_add(METRIC_ATTEMPTS, reading->name, 0, 1);
	http_run(reading->call->task, reading->http);
	metrics_add(METRIC_ATTEMPT_ENDS, reading->name,
		http->end == HTTP_DONE && http->status != 200 ? METRICS_REFUSED : (int)http->end, 1);
}

static int ask(struct llm_call *call, struct arena *request, const struct str *body)
{
	const struct provider_setup *setup = call->setup;
	const struct config *config = call->config;
	const char *headers[] = {"Content-Type: application/json", "Accept: text/event-stream, application/json",
		setup->key == NULL ? NULL : arena_printf(call->task->arena, "Authorization: Bearer %s", setup->key),
		NULL};
	struct http_call http = {.headers = headers,
		.body = body->at,
		.body_len = body->len,
		.connect_timeout_s = config->llm_connect_timeout_s,
		.first_timeout_s = config->llm_first_timeout_s,
		.idle_timeout_s = config->llm_idle_timeout_s,
		.total_timeout_s = config->llm_total_timeout_s,
		.silence_s = config->keepalive_s,
		.data = on_data,
		.silence = on_silence,
		.gone = on_gone,
		.url = arena_printf(call->task->arena, "%.*s/chat/completions", without_slash(setup->url), setup->url)};
	struct reading *reading = reading_new(call, &http, request);
	int try;

	if (setup->guarded)
		http.allowed = config->outbound_allow == NULL ? "" : config->outbound_allow;
	http.arg = reading;
	for (try = 1; try <= MAX_TRIES; try++) {
		http.fresh = try > 1;
		try_once(reading);
		if (reading->streamed && http.end == HTTP_DONE)
			sse_end(&reading->sse);
		if (try == MAX_TRIES || !worth_another(reading) || !pause_before(call, try, http.retry_after_s))
			break;
		log_event(LOG_INFO, call->task, "provider_retry", "try=%d status=%d", try + 1, http.status);
	}
	if (judge(reading) < 0)
		return -1;
	if (!call->stopped && reading->answered <= MAX_ANSWER)
		pass_on(reading, "", 0, false, true);
	if (reading->tools && strcmp(call->finish_reason, "stop") == 0)
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
	if (result < 0)
		metrics_add(METRIC_PROVIDER_ERRORS, metrics_provider(call->setup->name, METRICS_CHAT),
			metrics_place(LABEL_CODE, call->task->failure.code), 1);
	return result;
}

const struct provider provider_openai = {"openai", complete};
