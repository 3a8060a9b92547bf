/* SPDX-License-Identifier: ISC */
#include "llm/embed.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "llm/asking.h"
#include "llm/provider.h"
#include "llm/slots.h"
#include "llm/vectors.h"

enum {
	QUESTION_S = 10,      /* that a question waits for its vector */
	HEAD_BYTES = 1 << 20, /* of an answer, besides its vectors */
};

/* One batch. */
struct batch {
	struct embed_call *call;
	const char *const *texts;
	int n;
	struct arena *arena; /* of what is needed until its vectors are there */
	int64_t deadline_ms;
};

static const struct asking_kind embedder = {.codes = ASKING_CODES("embed"),
	.noun = "The embedder",
	.given = "the text",
	.refused_status = 400,
	.tries = 3,
	.pause_ms = 200,
	.call = METRICS_EMBEDDING};

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
	const char *base = setup->ollama ? asking_url(arena, setup->url, "") : NULL;
	size_t len = base == NULL ? 0 : strlen(base);

	if (base == NULL)
		return asking_url(arena, setup->url, "/embeddings");
	if (len >= 3 && memcmp(base + len - 3, "/v1", 3) == 0)
		len -= 3;
	return arena_printf(arena, "%.*s/api/embed", (int)len, base);
}

static int judge_answer(struct batch *batch, const struct asking *asking, struct vectors *vectors)
{
	struct task *task = batch->call->task;

	switch (vectors_read(batch->arena, asking->answer->at, asking->answer->len, vectors)) {
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
		return asking_invalid(asking);
	}
}

static int ask(struct batch *batch, struct vectors *vectors)
{
	struct embed_call *call = batch->call;
	const struct embed_setup *setup = call->setup;
	const struct str *body = write_body(batch);
	const char *headers[] = {"Content-Type: application/json", "Accept: application/json",
		asking_key(batch->arena, setup->key), NULL};
	struct asking asking = {.task = call->task,
		.config = call->config,
		.kind = &embedder,
		.provider = setup->provider,
		.guarded = setup->guarded,
		.deadline_ms = batch->deadline_ms,
		.answer = str_new(batch->arena),
		.most = HEAD_BYTES + (size_t)batch->n * VECTORS_MAX_DIMENSION * VECTORS_NUMBER_BYTES,
		.http = {.url = target(batch->arena, setup),
			.headers = headers,
			.body = body->at,
			.body_len = body->len,
			.gone = call->answer ? asking_gone : NULL}};

	/* Work in the background waits for its turn; who asks a question is told. */
	if (slots_hold(call->task, batch->arena, setup->url, call->question ? 0 : batch->deadline_ms) < 0)
		return -1;
	asking_run(&asking);
	return asking_judge(&asking) < 0 ? -1 : judge_answer(batch, &asking, vectors);
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
	if (ask(&batch, &vectors) < 0)
		return asking_failed(call->task, &embedder, call->setup->provider);
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
