/* SPDX-License-Identifier: ISC */
#include "llm/service.h"

#include <string.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/metrics.h"
#include "llm/provider.h"
#include "llm/slots.h"

enum {
	MAX_TRIES = 2,
	PAUSE_MS = 300,  /* before the second */
	MAX_PAUSE_S = 2, /* a provider that asks for more is not waited for */
};

struct asking {
	struct service_call *call;
	struct http_call http;
	bool too_long;
	int64_t deadline_ms;
	int64_t asked_us; /* 0: something has come */
	int name;         /* of the provider, among the metrics */
};

/* ---- whose ---- */

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

/* ---- one try ---- */

static int on_data(void *arg, const char *bytes, size_t len)
{
	struct asking *asking = arg;
	struct service_call *call = asking->call;

	if (asking->asked_us != 0 && asking->http.status == 200)
		metrics_observe(METRIC_FIRST_BYTE, asking->name, clock_us() - asking->asked_us);
	asking->asked_us = 0;
	asking->too_long = call->answer->len + len > call->most;
	if (asking->too_long)
		return -1;
	str_add(call->answer, bytes, len);
	return 0;
}

static ssize_t on_send(void *arg, size_t at, char *to, size_t room)
{
	const struct service_call *call = ((struct asking *)arg)->call;

	return call->send(call->arg, at, to, room);
}

/* Asked when something stirs on a connection on which nothing more is to come. */
static bool on_gone(void *arg)
{
	return ((struct asking *)arg)->call->task->gone_fd >= 0;
}

static int pause_of(const struct http_call *http)
{
	return http->retry_after_s > 0 ? http->retry_after_s * 1000 : PAUSE_MS;
}

/* Only before the first byte of an answer may a call be made again. */
static bool worth_another(const struct asking *asking)
{
	const struct http_call *http = &asking->http;

	if (task_is_stopped(asking->call->task) || clock_ms() + pause_of(http) >= asking->deadline_ms)
		return false;
	if (http->end == HTTP_UNREACHABLE || (http->end == HTTP_BROKEN && http->status == 0))
		return true;
	return http->end == HTTP_DONE && http->retry_after_s <= MAX_PAUSE_S &&
	       (http->status == 429 || http->status == 500 || (http->status >= 502 && http->status <= 504));
}

static void try_once(struct asking *asking)
{
	struct http_call *http = &asking->http;

	str_clear(asking->call->answer);
	asking->asked_us = clock_us();
	metrics_add(METRIC_ATTEMPTS, asking->name, 0, 1);
	http_run(asking->call->task, http);
	metrics_add(METRIC_ATTEMPT_ENDS, asking->name,
		http->end == HTTP_DONE && http->status != 200 ? METRICS_REFUSED : (int)http->end, 1);
}

static void run(struct asking *asking)
{
	struct task *task = asking->call->task;
	struct http_call *http = &asking->http;
	int try;

	for (try = 1;; try++) {
		int left_s = (int)((asking->deadline_ms - clock_ms() + 999) / 1000);

		http->fresh = try > 1;
		http->first_timeout_s = http->idle_timeout_s = http->total_timeout_s = left_s < 1 ? 1 : left_s;
		try_once(asking);
		if (try == MAX_TRIES || !worth_another(asking))
			return;
		log_event(LOG_INFO, task, "provider_retry", "try=%d status=%d", try + 1, http->status);
		clock_pause_ms(pause_of(http));
	}
}

/* ---- what came of it ---- */

/* The provider's own words go nowhere: they may hold its address or our key. */
static int refused(const struct asking *asking)
{
	struct task *task = asking->call->task;
	int status = asking->http.status;

	log_event(LOG_WARNING, task, "provider_status", "provider=%s status=%d", asking->call->setup->provider, status);
	if (status == 429 || status == 503 || status == 529)
		task->failure.retry_after_s = asking->http.retry_after_s > 0 ? asking->http.retry_after_s : 1;
	if (status == 429)
		return fail(task, 429, "service_busy", "The service takes no more requests at the moment.");
	if (status == 503 || status == 529)
		return fail(task, 503, "service_unavailable", "The service is not available at the moment.");
	if (status == 404)
		return fail(task, 502, "service_model", "The service does not know the model.");
	if (status == 400 || status == 413 || status == 415 || status == 422)
		return fail(task, 422, "service_refused", "The service refused it with status %d.", status);
	return fail(task, 502, "service_error", "The service answered with status %d.", status);
}

static int judge(const struct asking *asking)
{
	struct task *task = asking->call->task;

	switch (asking->http.end) {
	case HTTP_UNREACHABLE:
		return fail(task, 502, "service_unreachable", "The service cannot be reached.");
	case HTTP_FORBIDDEN:
		return fail(task, 502, "service_forbidden", "The service is at an address that is not permitted.");
	case HTTP_CONNECT_TIMEOUT:
	case HTTP_FIRST_TIMEOUT:
	case HTTP_IDLE_TIMEOUT:
		return fail(task, 504, "service_timeout", "The service did not answer in time.");
	case HTTP_TASK_STOPPED:
		task->failure.retry_after_s = 1;
		return fail(task, 503, "server_ending", "The server is being restarted.");
	case HTTP_DONE:
		return asking->http.status == 200 ? 0 : refused(asking);
	default:
		if (asking->too_long)
			return fail(task, 502, "service_invalid", "The service sent something that is no answer.");
		return fail(task, 502, "service_cut", "The service broke off its answer.");
	}
}

/* ---- asking ---- */

static const char *target(const struct service_call *call)
{
	size_t len = strlen(call->setup->url);

	while (len > 0 && call->setup->url[len - 1] == '/')
		len--;
	return arena_printf(call->arena, "%.*s%s", (int)len, call->setup->url, call->path);
}

static int ask(struct asking *asking)
{
	struct service_call *call = asking->call;

	if (slots_hold(call->task, call->arena, call->setup->url, call->waits ? asking->deadline_ms : 0) < 0)
		return -1;
	run(asking);
	call->answer_type = arena_strdup(call->arena, asking->http.type);
	return judge(asking);
}

int service_ask(struct service_call *call)
{
	const struct config *config = call->config;
	const char *key = call->setup->key;
	/* Without the last of them libcurl would wait before it sends a large body. */
	const char *headers[] = {arena_printf(call->arena, "Content-Type: %s", call->type), "Accept: */*",
		"Expect:", key == NULL ? NULL : arena_printf(call->arena, "Authorization: Bearer %s", key), NULL};
	struct asking asking = {.call = call,
		.deadline_ms = clock_ms() + call->timeout_s * 1000,
		.name = metrics_provider(call->setup->provider, METRICS_SERVICE)};

	asking.http = (struct http_call){.url = target(call),
		.headers = headers,
		.body = call->body,
		.body_len = call->body_len,
		.send = call->body == NULL ? on_send : NULL,
		.connect_timeout_s = config->llm_connect_timeout_s < call->timeout_s ? config->llm_connect_timeout_s
										     : call->timeout_s,
		.data = on_data,
		.gone = on_gone,
		.arg = &asking};
	if (call->setup->guarded)
		asking.http.allowed = config->outbound_allow == NULL ? "" : config->outbound_allow;
	call->answer = str_new(call->arena);
	if (ask(&asking) == 0)
		return 0;
	metrics_add(METRIC_PROVIDER_ERRORS, asking.name, metrics_place(LABEL_CODE, call->task->failure.code), 1);
	return -1;
}
