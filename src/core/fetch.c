/* SPDX-License-Identifier: ISC */
#include "core/fetch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http.h"
#include "store/db.h"

enum { MAX_REDIRECTS = 5, CONNECT_S = 5, LOCATION_BYTES = 8192, MAX_BYTES = 20 << 20 };

/* ---- how many a tenant has under way in this process ---- */

struct place {
	int64_t tenant_id;
	struct place *next;
	bool held;
};

static struct {
	pthread_mutex_t lock;
	struct place *first;
} places = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Given back at the latest when the request's memory is. */
static void give_place(void *arg)
{
	struct place *place = arg, **at;

	pthread_mutex_lock(&places.lock);
	for (at = &places.first; place->held && *at != place; at = &(*at)->next)
		;
	if (place->held)
		*at = place->next;
	place->held = false;
	pthread_mutex_unlock(&places.lock);
}

static struct place *take_place(struct task *task, int most)
{
	struct place *place = arena_get(task->arena, sizeof(*place)), *other;
	int n = 0;

	place->tenant_id = task->identity.tenant_id;
	arena_later(task->arena, give_place, place);
	pthread_mutex_lock(&places.lock);
	for (other = places.first; other != NULL; other = other->next)
		n += other->tenant_id == place->tenant_id;
	if (n < most) {
		place->next = places.first;
		places.first = place;
		place->held = true;
	}
	pthread_mutex_unlock(&places.lock);
	if (place->held)
		return place;
	task->failure.retry_after_s = 5;
	fail(task, 429, "link_busy", "Too many links are being fetched at the moment.");
	return NULL;
}

/* ---- addresses ---- */

static int invalid(struct task *task)
{
	return fail(task, 422, "link_invalid", "Not a valid URL.");
}

static bool port_permitted(const char *ports, int port)
{
	char *end;

	for (; ports != NULL && *ports != '\0'; ports = end + strspn(end, " "))
		if (strtol(ports, &end, 10) == port)
			return true;
		else if (*end != ' ')
			break;
	return false;
}

static int check(struct task *task, const struct config *config, const struct url *url)
{
	if (url->credentials || !port_permitted(config->outbound_ports, url->port))
		return invalid(task);
	return 0;
}

/* "example.com/x" and "example.com:443" have no scheme; "mailto:x" has one, and is none of ours. */
static bool has_scheme(const char *text)
{
	return strstr(text, "://") != NULL && strcspn(text, "/?#") > strcspn(text, ":");
}

int fetch_read_url(struct task *task, const struct config *config, const char *text, struct url *url)
{
	struct arena *arena = task->arena;
	char *trimmed = arena_strdup(arena, text + strspn(text, " \t\r\n"));
	size_t len = strlen(trimmed);

	while (len > 0 && strchr(" \t\r\n/", trimmed[len - 1]) != NULL)
		trimmed[--len] = '\0';
	if (len == 0 || len > LOCATION_BYTES ||
		url_read(arena, has_scheme(trimmed) ? trimmed : arena_printf(arena, "https://%s", trimmed), url) < 0)
		return invalid(task);
	return check(task, config, url);
}

/* ---- one page after the other ---- */

struct fetch {
	struct task *task;
	struct file *file;
	struct http_call call;
	bool too_large;
};

static int on_data(void *arg, const char *bytes, size_t len)
{
	struct fetch *fetch = arg;

	if (fetch->call.status >= 300) { /* what it says beside its status is of no interest */
		fetch->call.enough = true;
		return 0;
	}
	if (fetch->file->size + len > MAX_BYTES) {
		fetch->too_large = true;
		return -1;
	}
	return file_add(fetch->task, fetch->file, bytes, len, MAX_BYTES);
}

/* Asked when something stirs on a connection on which nothing more is to come; or now and then, where there is none to
 * be looked at. */
static bool on_gone(void *arg)
{
	const struct fetch *fetch = arg;

	return fetch->task->gone_fd >= 0;
}

/* One sentence for an address that is not permitted and one that cannot be reached: who asks must not learn which names
 * there are behind the guard. */
static const char dark[] = "Nothing could be fetched from this address.";
static const char late[] = "What is at this address could not be fetched in time.";

static int refused(const struct fetch *fetch)
{
	return fail(fetch->task, 422, "link_refused", "The server at this address answered with status %d.",
		fetch->call.status);
}

static int judge(struct fetch *fetch)
{
	struct task *task = fetch->task;

	if (fetch->too_large)
		return fail(
			task, 422, "link_too_large", "What is at this address is larger than %d MiB.", MAX_BYTES >> 20);
	switch (fetch->call.end) {
	case HTTP_DONE:
	case HTTP_DONE_EARLY:
		break;
	case HTTP_FORBIDDEN:
		return fail(task, 422, "link_forbidden", "%s", dark);
	case HTTP_CONNECT_TIMEOUT:
	case HTTP_FIRST_TIMEOUT:
	case HTTP_IDLE_TIMEOUT:
		return fail(task, 422, "link_slow", "%s", late);
	case HTTP_TASK_STOPPED:
		return fail(task, 503, "server_ending", "The server is being restarted.");
	case HTTP_STOPPED:
	case HTTP_CLIENT_GONE:
	case HTTP_UNREACHABLE:
	case HTTP_BROKEN:
		return fail(task, 422, "link_unreachable", "%s", dark);
	}
	return fetch->call.status >= 400 ? refused(fetch) : 0;
}

static const char *const no_headers[] = {NULL};

/* Fetch until something is no redirect.  `url` is where it was found. */
static int follow(struct fetch *fetch, const struct config *config, const char *const *headers, struct url *url)
{
	struct task *task = fetch->task;
	const struct url first = *url;
	int64_t deadline_ms = clock_ms() + config->link_timeout_s * 1000;
	int n;

	for (n = 0; n <= MAX_REDIRECTS; n++) {
		int64_t left_ms = deadline_ms - clock_ms();

		fetch->call.url = url->text;
		fetch->call.headers = url_same_origin(&first, url) ? headers : no_headers;
		fetch->call.first_timeout_s = fetch->call.idle_timeout_s = fetch->call.total_timeout_s =
			left_ms < 1000 ? 1 : (int)(left_ms / 1000);
		http_run(task, &fetch->call);
		if (judge(fetch) < 0)
			return -1;
		if (fetch->call.status < 300)
			return 0;
		if (*fetch->call.location == '\0')
			return refused(fetch);
		if (url_follow(task->arena, url, fetch->call.location, url) < 0 || check(task, config, url) < 0)
			return fail(task, 422, "link_forbidden", "%s", dark);
		if (clock_ms() >= deadline_ms)
			return fail(task, 422, "link_slow", "%s", late);
	}
	return fail(task, 422, "link_refused", "This address leads from one to the next without end.");
}

/* What a file that was found there may be called: the last piece of the path, or the server's name. */
static const char *name_of(struct arena *arena, const struct url *url)
{
	const char *slash = strrchr(url->path, '/');

	return file_label(arena, slash == NULL || slash[1] == '\0' ? url->host : slash + 1);
}

int fetch_url(struct task *task, const struct config *config, const struct url *url, const char *const *headers,
	struct file *file)
{
	struct arena *arena = task->arena;
	struct fetch fetch = {.task = task, .file = file};
	struct url at = *url;
	struct place *place;
	int result;

	/* Nothing is fetched for somebody whose key is not good. */
	if (task->identity.tenant_id == 0 && db_enter(task) < 0)
		return -1;
	if (file_open(task, file) < 0 || (place = take_place(task, config->link_parallel)) == NULL)
		return -1;
	fetch.call.connect_timeout_s = CONNECT_S;
	fetch.call.allowed = config->outbound_allow == NULL ? "" : config->outbound_allow;
	fetch.call.location = arena_get(arena, LOCATION_BYTES);
	fetch.call.location_room = LOCATION_BYTES;
	fetch.call.data = on_data;
	fetch.call.gone = on_gone;
	fetch.call.arg = &fetch;
	result = follow(&fetch, config, headers, &at);
	give_place(place);
	if (result < 0)
		return -1;
	file->name = name_of(arena, &at);
	file->type = *fetch.call.type == '\0' ? NULL
		     : *fetch.call.charset == '\0'
			     ? arena_strdup(arena, fetch.call.type)
			     : arena_printf(arena, "%s; charset=%s", fetch.call.type, fetch.call.charset);
	return 0;
}
