/* SPDX-License-Identifier: ISC */
#include "llm/service.h"

#include "base/clock.h"
#include "llm/asking.h"
#include "llm/provider.h"
#include "llm/slots.h"

static const struct asking_kind service = {.codes = ASKING_CODES("service"),
	.noun = "The service",
	.given = "it",
	.refused_status = 422,
	.tries = 2,
	.pause_ms = 300,
	.call = METRICS_SERVICE};

static bool read_setup(
	const char *name, const char *url, const char *key, const char *model, struct service_setup *setup)
{
	const struct provider_preset *preset = name == NULL ? NULL : provider_preset(name);

	*setup = (struct service_setup){.provider = name == NULL ? "generic-openai" : name,
		.url = url != NULL      ? url
		       : preset != NULL ? preset->url
					: NULL,
		.key = key,
		.model = model == NULL ? "" : model};
	return setup->url != NULL;
}

bool service_of_transcription(const struct config *config, struct service_setup *setup)
{
	return read_setup(config->transcribe_provider, config->transcribe_url, config->transcribe_key,
		config->transcribe_model, setup);
}

bool service_of_ranking(const struct config *config, struct service_setup *setup)
{
	return read_setup(config->rerank_provider, config->rerank_url, config->rerank_key, config->rerank_model, setup);
}

/* An asking, and the call whose body it sends. */
struct sending {
	struct asking asking; /* first: it is known by it */
	struct service_call *call;
};

static ssize_t on_send(void *arg, size_t at, char *to, size_t room)
{
	const struct service_call *call = ((struct sending *)arg)->call;

	return call->send(call->arg, at, to, room);
}

static int ask(struct asking *asking, struct service_call *call)
{
	if (slots_hold(call->task, call->arena, call->setup->url, call->waits ? asking->deadline_ms : 0) < 0)
		return -1;
	asking_run(asking);
	call->answer_type = arena_strdup(call->arena, asking->http.type);
	return asking_judge(asking);
}

int service_ask(struct service_call *call)
{
	const struct service_setup *setup = call->setup;
	const char *headers[] = {arena_printf(call->arena, "Content-Type: %s", call->type), "Accept: */*",
		asking_key(call->arena, setup->key), NULL};
	struct sending sending = {.call = call,
		.asking = {.task = call->task,
			.config = call->config,
			.kind = &service,
			.provider = setup->provider,
			.guarded = setup->guarded,
			.deadline_ms = clock_ms() + call->timeout_s * 1000,
			.answer = str_new(call->arena),
			.most = call->most,
			.http = {.url = asking_url(call->arena, setup->url, call->path),
				.headers = headers,
				.body = call->body,
				.body_len = call->body_len,
				.send = call->body == NULL ? on_send : NULL,
				.gone = asking_gone}}};

	call->answer = sending.asking.answer;
	return ask(&sending.asking, call) == 0 ? 0 : asking_failed(call->task, &service, setup->provider);
}
