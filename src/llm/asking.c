/* SPDX-License-Identifier: ISC */
#include "llm/asking.h"

#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { MAX_PAUSE_S = 2 }; /* a provider that asks for more is not waited for */

const char *asking_url(struct arena *arena, const char *base, const char *path)
{
	const char *query = strchrnul(base, '?');
	size_t len = (size_t)(query - base);

	while (len > 0 && base[len - 1] == '/')
		len--;
	return arena_printf(arena, "%.*s%s%s", (int)len, base, path, query);
}

const char *asking_key(struct arena *arena, const char *key)
{
	return key == NULL ? NULL : arena_printf(arena, "Authorization: Bearer %s", key);
}

bool asking_well(const struct http_call *http)
{
	return http->status >= 200 && http->status <= 299;
}

/* Asked when something stirs on a connection on which nothing more is to come. */
bool asking_gone(void *arg)
{
	return ((struct asking *)arg)->task->gone_fd >= 0;
}

/* ---- one try ---- */

static int put_together(struct asking *asking, const char *bytes, size_t len)
{
	asking->too_long = asking->answer->len + len > asking->most;
	if (asking->too_long)
		return -1;
	str_add(asking->answer, bytes, len);
	return 0;
}

static int on_data(void *arg, const char *bytes, size_t len)
{
	struct asking *asking = arg;

	if (asking->asked_us != 0 && asking_well(&asking->http))
		metrics_observe(METRIC_FIRST_BYTE, asking->name, clock_us() - asking->asked_us);
	asking->asked_us = 0;
	return asking->data != NULL ? asking->data(asking, bytes, len) : put_together(asking, bytes, len);
}

/* What is left until the deadline bounds the try. */
static void set_timeouts(struct asking *asking)
{
	struct http_call *http = &asking->http;
	int left_s = (int)((asking->deadline_ms - clock_ms() + 999) / 1000);

	http->connect_timeout_s = asking->config->llm_connect_timeout_s;
	if (asking->deadline_ms == 0)
		return;
	left_s = left_s < 1 ? 1 : left_s;
	http->first_timeout_s = http->idle_timeout_s = http->total_timeout_s = left_s;
	if (http->connect_timeout_s > left_s)
		http->connect_timeout_s = left_s;
}

static void try_once(struct asking *asking)
{
	struct http_call *http = &asking->http;

	if (asking->answer != NULL)
		str_clear(asking->answer);
	if (asking->begin != NULL)
		asking->begin(asking);
	set_timeouts(asking);
	asking->asked_us = clock_us();
	metrics_add(METRIC_ATTEMPTS, asking->name, 0, 1);
	http_run(asking->task, http);
	metrics_add(METRIC_ATTEMPT_ENDS, asking->name,
		http->end == HTTP_DONE && !asking_well(http) ? METRICS_REFUSED : (int)http->end, 1);
}

/* ---- one after the other ---- */

/* Only before the first byte of an answer may a call be made again: nothing has been paid for, nothing shown. */
static bool worth_another(const struct asking *asking, int pause_ms)
{
	const struct http_call *http = &asking->http;

	if (http->hopeless || task_is_stopped(asking->task) || (asking->spent != NULL && asking->spent(asking)) ||
		(asking->deadline_ms != 0 && clock_ms() + pause_ms >= asking->deadline_ms))
		return false;
	if (http->end == HTTP_UNREACHABLE || (http->end == HTTP_BROKEN && http->status == 0))
		return true;
	return http->end == HTTP_DONE && http->retry_after_s <= MAX_PAUSE_S &&
	       (http->status == 429 || http->status == 500 || (http->status >= 502 && http->status <= 504));
}

/* False when the client leaves meanwhile. */
static bool pause_before(struct asking *asking, int pause_ms)
{
	struct http_call *http = &asking->http;
	struct pollfd client = {.fd = asking->task->gone_fd, .events = POLLIN};

	if (http->gone == NULL)
		clock_pause_ms(pause_ms);
	else if (poll(&client, 1, pause_ms) > 0 && http->gone(http->arg))
		http->end = HTTP_CLIENT_GONE;
	return http->end != HTTP_CLIENT_GONE;
}

void asking_run(struct asking *asking)
{
	struct http_call *http = &asking->http;
	int try, pause_ms;

	asking->name = metrics_provider(asking->provider, asking->kind->call);
	http->data = on_data;
	http->arg = asking;
	if (asking->guarded)
		http->allowed = asking->config->outbound_allow == NULL ? "" : asking->config->outbound_allow;
	for (try = 1;; try++) {
		http->fresh = try > 1;
		try_once(asking);
		pause_ms = http->retry_after_s > 0 ? http->retry_after_s * 1000 : try * asking->kind->pause_ms;
		if (try == asking->kind->tries || !worth_another(asking, pause_ms) || !pause_before(asking, pause_ms))
			return;
		log_event(LOG_INFO, asking->task, "provider_retry", "try=%d status=%d", try + 1, http->status);
	}
}

/* ---- what came of it ---- */

/* The provider's own words go nowhere: they may hold its address, our key, or the question. */
int asking_refused(const struct asking *asking, int status)
{
	const struct asking_kind *kind = asking->kind;
	struct task *task = asking->task;

	log_event(LOG_WARNING, task, "provider_status", "provider=%s status=%d", asking->provider, status);
	if (status == 429 || status == 503 || status == 529)
		task->failure.retry_after_s = asking->http.retry_after_s > 0 ? asking->http.retry_after_s : 1;
	if (status == 429)
		return fail(task, 429, kind->codes.busy, "%s takes no more requests at the moment.", kind->noun);
	if (status == 503 || status == 529)
		return fail(task, 503, kind->codes.unavailable, "%s is not available at the moment.", kind->noun);
	if (status == 404)
		return fail(task, 502, kind->codes.model, "%s does not know the model.", kind->noun);
	if (status == 400 || status == 413 || status == 415 || status == 422)
		return fail(task, kind->refused_status, kind->codes.refused, "%s refused %s with status %d.",
			kind->noun, kind->given, status);
	return fail(task, 502, kind->codes.error, "%s answered with status %d.", kind->noun, status);
}

int asking_invalid(const struct asking *asking)
{
	return fail(asking->task, 502, asking->kind->codes.invalid, "%s sent something that is no answer.",
		asking->kind->noun);
}

int asking_judge(const struct asking *asking)
{
	const struct asking_kind *kind = asking->kind;
	struct task *task = asking->task;

	if (asking->http.end == HTTP_DONE && asking_well(&asking->http))
		return 0;
	if (fail_if_stopped(task) < 0)
		return -1;
	if (asking->http.end == HTTP_UNREACHABLE || asking->http.end == HTTP_CONNECT_TIMEOUT)
		log_event(LOG_WARNING, task, "provider_unreachable", "provider=%s cause=\"%s\"", asking->provider,
			asking->http.cause);
	switch (asking->http.end) {
	case HTTP_UNREACHABLE:
		return fail(task, 502, kind->codes.unreachable, "%s cannot be reached.", kind->noun);
	case HTTP_FORBIDDEN:
		return fail(task, 502, kind->codes.forbidden, "%s is at an address that is not permitted.", kind->noun);
	case HTTP_CONNECT_TIMEOUT:
	case HTTP_FIRST_TIMEOUT:
	case HTTP_IDLE_TIMEOUT:
		return fail(task, 504, kind->codes.timeout, "%s did not answer in time.", kind->noun);
	case HTTP_CLIENT_GONE: /* for log and metrics only */
		return fail(task, 400, "client_gone", "The client did not wait for the answer.");
	case HTTP_DONE:
		return asking_refused(asking, asking->http.status);
	default:
		return asking->too_long ? asking_invalid(asking)
					: fail(task, 502, kind->codes.cut, "%s broke off its answer.", kind->noun);
	}
}

int asking_failed(const struct task *task, const struct asking_kind *kind, const char *provider)
{
	metrics_add(METRIC_PROVIDER_ERRORS, metrics_provider(provider, kind->call),
		metrics_place(LABEL_CODE, task->failure.code), 1);
	return -1;
}
