/* SPDX-License-Identifier: ISC */
#include "llm/embed.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"
#include "llm/provider.h"
#include "llm/slots.h"
#include "llm/vectors.h"

enum {
	QUESTION_S = 10, /* that a question waits for its vector */
	MAX_TRIES = 3,
	FIRST_PAUSE_MS = 200, /* before the second try; twice that before the third */
	MAX_PAUSE_S = 2,      /* a provider that asks for more is not waited for */
	HEAD_BYTES = 1 << 20, /* of an answer, besides its vectors */
};

/* One batch. */
struct batch {
	struct embed_call *call;
	const char *const *texts;
	int n;
	struct arena *arena; /* of what is needed until its vectors are there */
	struct http_call *http;
	struct str *answer;
	bool too_long;
	int64_t deadline_ms;
	int64_t asked_us; /* 0: something has come */
	int name;         /* of the provider, among the metrics */
};

bool embed_of_server(const struct config *config, struct embed_setup *setup)
{
	const struct provider_preset *preset =
		config->embed_provider == NULL ? NULL : provider_preset(config->embed_provider);

	*setup = (struct embed_setup){
		.provider = config->embed_provider == NULL ? "generic-openai" : config->embed_provider,
		.ollama = config->embed_provider != NULL && strcasecmp(config->embed_provider, "ollama") == 0,
		.url = config->embed_url != NULL ? config->embed_url
		       : preset != NULL          ? preset->url
						 : NULL,
		.key = config->embed_key,
		.model = config->embed_model == NULL ? "" : config->embed_model,
		.dimensions = config->embed_dimensions};
	return setup->url != NULL;
}

/* ---- the request ---- */

static struct str *write_body(const struct batch *batch)
{
	const struct embed_call *call = batch->call;
	const struct embed_setup *setup = call->setup;
	struct str *body = str_new(batch->arena);
	int i;

	str_puts(body, "{\"model\":");
	str_json_text(body, setup->model);
	if (setup->ollama)
		str_puts(body, ",\"truncate\":true");
	else
		str_printf(body, ",\"encoding_format\":\"%s\"",
			call->config->embed_encoding == EMBED_BASE64 ? "base64" : "float");
	if (setup->dimensions > 0)
		str_printf(body, ",\"dimensions\":%d", setup->dimensions);
	str_puts(body, ",\"input\":[");
	for (i = 0; i < batch->n; i++) {
		str_puts(body, i == 0 ? "" : ",");
		if (call->tokens)
			str_puts(body, batch->texts[i]);
		else
			str_json_text(body, batch->texts[i]);
	}
	str_puts(body, "]}");
	return body;
}

/* Ollama's own API lies beside the /v1 with which it speaks OpenAI's. */
static const char *target(struct arena *arena, const struct embed_setup *setup)
{
	size_t len = strlen(setup->url);

	while (len > 0 && setup->url[len - 1] == '/')
		len--;
	if (!setup->ollama)
		return arena_printf(arena, "%.*s/embeddings", (int)len, setup->url);
	if (len >= 3 && memcmp(setup->url + len - 3, "/v1", 3) == 0)
		len -= 3;
	return arena_printf(arena, "%.*s/api/embed", (int)len, setup->url);
}

static int on_data(void *arg, const char *bytes, size_t len)
{
	struct batch *batch = arg;
	size_t most = HEAD_BYTES + (size_t)batch->n * VECTORS_MAX_DIMENSION * VECTORS_NUMBER_BYTES;

	if (batch->asked_us != 0 && batch->http->status == 200)
		metrics_observe(METRIC_FIRST_BYTE, batch->name, clock_us() - batch->asked_us);
	batch->asked_us = 0;
	batch->too_long = batch->answer->len + len > most;
	if (batch->too_long)
		return -1;
	str_add(batch->answer, bytes, len);
	return 0;
}

/* ---- what came of it ---- */

/* The provider's own words go nowhere: they may hold its address, our key, or the text. */
static int refused(struct task *task, const struct http_call *http, const char *provider)
{
	int status = http->status;

	log_event(LOG_WARNING, task, "provider_status", "provider=%s status=%d", provider, status);
	if (status == 429 || status == 503 || status == 529)
		task->failure.retry_after_s = http->retry_after_s > 0 ? http->retry_after_s : 1;
	if (status == 429)
		return fail(task, 429, "embed_busy", "The embedder takes no more requests at the moment.");
	if (status == 503 || status == 529)
		return fail(task, 503, "embed_unavailable", "The embedder is not available at the moment.");
	if (status == 404)
		return fail(task, 502, "embed_model", "The embedder does not know the model.");
	if (status == 400 || status == 413 || status == 422)
		return fail(task, 400, "embed_refused", "The embedder refused the text with status %d.", status);
	return fail(task, 502, "embed_error", "The embedder answered with status %d.", status);
}

static int judge_answer(struct batch *batch, struct vectors *vectors)
{
	struct task *task = batch->call->task;

	switch (vectors_read(batch->arena, batch->answer->at, batch->answer->len, vectors)) {
	case VECTORS_GOOD:
		return 0;
	case VECTORS_ERROR:
		return fail(task, 502, "embed_error", "The embedder reported an error.");
	case VECTORS_COUNT:
		return fail(task, 502, "embed_count", "The embedder did not send one vector for each text.");
	case VECTORS_DIMENSION:
		return fail(task, 502, "embed_dimension", "The embedder sent vectors of another dimension.");
	case VECTORS_VALUE:
		return fail(task, 502, "embed_vector", "The embedder sent something that is no vector.");
	default:
		return fail(task, 502, "embed_invalid", "The embedder sent something that is no answer.");
	}
}

static int judge(struct batch *batch, const struct http_call *http, struct vectors *vectors)
{
	struct task *task = batch->call->task;

	switch (http->end) {
	case HTTP_UNREACHABLE:
		return fail(task, 502, "embed_unreachable", "The embedder cannot be reached.");
	case HTTP_FORBIDDEN:
		return fail(task, 502, "embed_forbidden", "The embedder is at an address that is not permitted.");
	case HTTP_CONNECT_TIMEOUT:
	case HTTP_FIRST_TIMEOUT:
	case HTTP_IDLE_TIMEOUT:
		return fail(task, 504, "embed_timeout", "The embedder did not answer in time.");
	case HTTP_TASK_STOPPED:
		task->failure.retry_after_s = 1;
		return fail(task, 503, "server_ending", "The server is being restarted.");
	case HTTP_DONE:
		if (http->status != 200)
			return refused(task, http, batch->call->setup->provider);
		return judge_answer(batch, vectors);
	default:
		if (batch->too_long)
			return fail(task, 502, "embed_invalid", "The embedder sent something that is no answer.");
		return fail(task, 502, "embed_cut", "The embedder broke off its answer.");
	}
}

/* ---- asking ---- */

/* Only before the first byte may a call be made again. */
static bool worth_another(const struct batch *batch, const struct http_call *http, int pause)
{
	if (task_is_stopped(batch->call->task) || clock_ms() + pause >= batch->deadline_ms)
		return false;
	if (http->end == HTTP_UNREACHABLE || (http->end == HTTP_BROKEN && http->status == 0))
		return true;
	return http->end == HTTP_DONE && http->retry_after_s <= MAX_PAUSE_S &&
	       (http->status == 429 || http->status == 500 || (http->status >= 502 && http->status <= 504));
}

static void try_once(struct batch *batch)
{
	struct http_call *http = batch->http;

	str_clear(batch->answer);
	batch->asked_us = clock_us();
	metrics_add(METRIC_ATTEMPTS, batch->name, 0, 1);
	http_run(batch->call->task, http);
	metrics_add(METRIC_ATTEMPT_ENDS, batch->name,
		http->end == HTTP_DONE && http->status != 200 ? METRICS_REFUSED : (int)http->end, 1);
}

static void run(struct batch *batch)
{
	struct task *task = batch->call->task;
	struct http_call *http = batch->http;
	int try, wait_ms;

	for (try = 1;; try++) {
		int left_s = (int)((batch->deadline_ms - clock_ms() + 999) / 1000);

		http->fresh = try > 1;
		http->first_timeout_s = http->idle_timeout_s = http->total_timeout_s = left_s < 1 ? 1 : left_s;
		try_once(batch);
		wait_ms = http->retry_after_s > 0 ? http->retry_after_s * 1000 : try * FIRST_PAUSE_MS;
		if (try == MAX_TRIES || !worth_another(batch, http, wait_ms))
			return;
		log_event(LOG_INFO, task, "provider_retry", "try=%d status=%d", try + 1, http->status);
		clock_pause_ms(wait_ms);
	}
}

static int ask(struct batch *batch, struct vectors *vectors)
{
	struct embed_call *call = batch->call;
	const struct config *config = call->config;
	const char *key = call->setup->key;
	const struct str *body = write_body(batch);
	const char *headers[] = {"Content-Type: application/json", "Accept: application/json",
		key == NULL ? NULL : arena_printf(batch->arena, "Authorization: Bearer %s", key), NULL};
	struct http_call http = {.headers = headers,
		.body = body->at,
		.body_len = body->len,
		.connect_timeout_s = config->llm_connect_timeout_s,
		.data = on_data,
		.arg = batch,
		.url = target(batch->arena, call->setup)};

	batch->http = &http;
	batch->answer = str_new(batch->arena);
	if (call->question && http.connect_timeout_s > QUESTION_S)
		http.connect_timeout_s = QUESTION_S;
	if (call->setup->guarded)
		http.allowed = config->outbound_allow == NULL ? "" : config->outbound_allow;
	/* Work in the background waits for its turn; who asks a question is told. */
	if (slots_hold(call->task, batch->arena, call->setup->url, call->question ? 0 : batch->deadline_ms) < 0)
		return -1;
	run(batch);
	return judge(batch, &http, vectors);
}

/* Its vectors go to their place among all. */
static int take_batch(struct embed_call *call, struct arena *small, int from, int n)
{
	int seconds = call->config->embed_timeout_s;
	struct batch batch = {.call = call, .texts = call->texts + from, .n = n, .arena = small};
	struct vectors vectors = {.n = n, .dimension = call->dimension > 0 ? call->dimension : call->setup->dimensions};
	size_t bytes;

	if (call->question && seconds > QUESTION_S)
		seconds = QUESTION_S;
	batch.deadline_ms = clock_ms() + seconds * 1000;
	batch.name = metrics_provider(call->setup->provider, METRICS_EMBEDDING);
	if (ask(&batch, &vectors) < 0) {
		metrics_add(METRIC_PROVIDER_ERRORS, batch.name, metrics_place(LABEL_CODE, call->task->failure.code), 1);
		return -1;
	}
	bytes = (size_t)vectors.dimension * sizeof(float);
	call->dimension = vectors.dimension;
	if (call->vectors == NULL)
		call->vectors = arena_get(call->arena, (size_t)call->n_texts * bytes);
	memcpy(call->vectors + (size_t)from * (size_t)vectors.dimension, vectors.at, (size_t)n * bytes);
	call->n_tokens = vectors.n_tokens < 0 || call->n_tokens < 0 ? -1 : call->n_tokens + vectors.n_tokens;
	return 0;
}

int embed_texts(struct embed_call *call)
{
	struct arena *small = arena_within(call->arena);
	int from, n, result = 0;

	call->dimension = 0;
	call->vectors = NULL;
	call->n_tokens = 0;
	for (from = 0; from < call->n_texts && result == 0; from += n) {
		n = call->n_texts - from < call->config->embed_batch ? call->n_texts - from : call->config->embed_batch;
		result = take_batch(call, small, from, n);
		arena_empty(small);
	}
	return result;
}
