/* SPDX-License-Identifier: ISC
 * Providers that speak OpenAI's chat completions, streamed. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/sse.h"
#include "llm/answer.h"
#include "llm/asking.h"
#include "llm/provider.h"
#include "llm/slots.h"

enum {
	MAX_BODY = 1 << 20, /* bytes kept of an answer that is no stream */
	FINISHED_S = 3,     /* for what follows the last word, counts and [DONE], where neither ends the stream */
};

static const struct asking_kind upstream = {.codes = ASKING_CODES("upstream"),
	.noun = "The model's provider",
	.given = "the request",
	.refused_status = 400,
	.tries = 3,
	.pause_ms = 200,
	.call = METRICS_CHAT};

/* One question, and what has come so far. */
struct reading {
	struct asking asking; /* first: the reading is known by it */
	struct llm_call *call;
	struct answer answer;
	struct sse sse;
	struct arena *request; /* holds the body that is sent; NULL: given back */
	struct str *body;      /* an answer that is no stream */
	bool known;            /* enough has come to know what it is */
	bool streamed;         /* it is an event stream */
	bool done;             /* [DONE] */
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

static int bad_answer(struct reading *reading)
{
	reading->answer.failed = true;
	return asking_invalid(&reading->asking);
}

static int on_event(void *arg, const char *event, const char *data, size_t len)
{
	struct reading *reading = arg;

	if (reading->done || (*event != '\0' && strcmp(event, "message") != 0 && strcmp(event, "error") != 0))
		return 0;
	if (*event == 'e')
		return answer_take_error(&reading->answer, data, len);
	if (len >= 6 && memcmp(data, "[DONE]", 6) == 0) {
		reading->done = true;
		return 0;
	}
	return answer_take(&reading->answer, data, len);
}

/* The first byte of an answer that says what it is; 0: it has not come yet. */
static char first_sign(const struct str *body)
{
	static const char bom[] = "\xef\xbb\xbf";
	size_t i = 0;

	if (body->len > 0 && body->at[0] == bom[0])
		i = body->len < 3 ? body->len : 3;
	while (i < body->len && isspace((unsigned char)body->at[i]))
		i++;
	return i < body->len ? body->at[i] : '\0';
}

/* Gateways lose the type of a stream, or give one to what is none.  No JSON begins like a line of an event stream
 * (data, event, id, retry, or a comment), and no such line like JSON or a page. */
static bool is_stream(const struct http_call *http, char sign)
{
	return strcmp(http->type, "text/event-stream") == 0 ? strchr("{[<", sign) == NULL
							    : strchr("deir:", sign) != NULL;
}

/* Up to where it is known what it is, an answer is kept; a stream no longer. */
static int take_bytes(struct reading *reading, const char *bytes, size_t len)
{
	int stop;
	char sign;

	if (reading->streamed)
		return sse_feed(&reading->sse, bytes, len);
	if (reading->body->len + len > MAX_BODY)
		return -2;
	str_add(reading->body, bytes, len);
	if (reading->known || (sign = first_sign(reading->body)) == '\0')
		return 0;
	reading->known = true;
	reading->streamed = asking_well(&reading->asking.http) && is_stream(&reading->asking.http, sign);
	if (!reading->streamed)
		return 0;
	stop = sse_feed(&reading->sse, reading->body->at, reading->body->len);
	str_clear(reading->body);
	return stop;
}

static int on_data(struct asking *asking, const char *bytes, size_t len)
{
	struct reading *reading = (struct reading *)asking;
	struct http_call *http = &asking->http;
	size_t said = reading->answer.said;
	int stop = take_bytes(reading, bytes, len);

	if (stop == -2)
		bad_answer(reading);
	http->idle = reading->answer.said == said; /* comments and empty chunks keep our side awake, not the client's */
	http->enough = reading->done;              /* behind [DONE] only the end of the body may come */
	if (reading->answer.finished && http->idle_timeout_s > FINISHED_S)
		http->idle_timeout_s = FINISHED_S;
	/* Nothing is asked twice once text has come: a long history need not be held while the rest does. */
	if (reading->request != NULL && reading->answer.said > 0 && http->sent) {
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

static int judge_error(const struct reading *reading)
{
	return reading->answer.refused == 0 ? -1 : asking_refused(&reading->asking, reading->answer.refused);
}

/* It came to its end: as a stream that said so, or as a whole object. */
static int judge_done(struct reading *reading)
{
	struct answer *answer = &reading->answer;
	int stop = reading->streamed ? 0 : answer_take(answer, reading->body->at, reading->body->len);

	if (reading->call->stopped)
		return 0;
	if (stop == ANSWER_INVALID || (!reading->streamed && stop == 0 && !answer->chosen))
		return bad_answer(reading);
	if (answer->failed)
		return judge_error(reading);
	if (!reading->streamed && (answer->finished || answer->said > 0))
		return 0;
	return fail(reading->call->task, 502, "upstream_cut", "The model's provider broke off its answer.");
}

static int judge(struct reading *reading)
{
	const struct answer *answer = &reading->answer;

	if (reading->asking.http.end == HTTP_CLIENT_GONE)
		reading->call->stopped = true;
	if (reading->call->stopped)
		return 0;
	if (answer->failed)
		return judge_error(reading);
	if (answer->finished || (reading->done && answer->chosen))
		return 0;
	if (reading->done)
		return bad_answer(reading);
	if (reading->asking.http.end == HTTP_DONE && !asking_well(&reading->asking.http))
		answer_take_refusal(&reading->answer, reading->body->at, reading->body->len);
	return asking_judge(&reading->asking) < 0 ? -1 : judge_done(reading);
}

/* After this nobody is asked again. */
static bool spent(const struct asking *asking)
{
	const struct reading *reading = (const struct reading *)asking;

	return reading->answer.said > 0 || reading->answer.failed || reading->call->stopped;
}

static void begin(struct asking *asking)
{
	struct reading *reading = (struct reading *)asking;

	str_clear(reading->body);
	sse_open(&reading->sse, reading->call->task->arena, on_event, reading);
	reading->known = reading->streamed = false;
	answer_begin(&reading->answer);
}

static struct reading *reading_new(struct llm_call *call, struct arena *request, const struct str *body)
{
	struct arena *arena = call->task->arena;
	struct reading *reading = arena_get(arena, sizeof(*reading));

	reading->call = call;
	reading->request = request;
	answer_open(&reading->answer, call);
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

/* Programs that find a code of its own for it shorten the conversation and ask again. */
static int tell_too_long(const struct reading *reading)
{
	struct task *task = reading->call->task;

	if (!reading->answer.too_long || strcmp(task->failure.code, upstream.codes.refused) != 0)
		return -1;
	fail_clear(task);
	return fail_field(task, 400, "context_length_exceeded", "messages",
		"The question, with what goes with it, is longer than the model's context window.");
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
		return tell_too_long(reading);
	answer_end(&reading->answer);
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
