/* SPDX-License-Identifier: ISC */
#include "web/dispatch.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/db.h"
#include "store/secret.h"
#include "web/form.h"
#include "web/limits.h"
#include "web/reply.h"
#include "web/request.h"

/* Bodies up to TRUST_BYTES are read before the key is looked up, so that the usual request has one round trip. */
enum { TRUST_BYTES = 65536, LARGE_BYTES = 1 << 20 };

static atomic_int streams_open;
static int streams_most;

void dispatch_limit_streams(int most)
{
	streams_most = most;
	metrics_set(METRIC_STREAMS_MOST, 0, most);
}

static bool plain_id(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return len > 0 && len <= 64 && text[len] == '\0';
}

static void begin(struct request *req, struct wire *wire, const struct config *config, struct arena *arena)
{
	memset(req, 0, sizeof(*req));
	req->wire = wire;
	req->config = config;
	req->started_us = clock_us();
	req->task.arena = arena;
	req->task.id = "-";
	req->task.gone_fd = -1;
	req->task.identity.address = wire_param(wire, "REMOTE_ADDR");
}

static void take_id(struct request *req)
{
	const char *id = wire_param(req->wire, "HTTP_X_REQUEST_ID");
	char *fresh;

	if (id != NULL && plain_id(id)) {
		req->task.id = arena_strdup(req->task.arena, id);
		return;
	}
	fresh = arena_get(req->task.arena, REQUEST_ID_TEXT);
	secret_request_id(fresh);
	req->task.id = fresh;
}

static int find_route(struct request *req)
{
	int allowed;

	req->route = route_find(routes, req->method, &req->path, req->params, &allowed);
	if (req->route != NULL)
		return 0;
	if (req->method == OPTIONS)
		return reply_preflight(req, allowed != 0 ? allowed : GET | POST | PUT | PATCH | DELETE);
	if (allowed == 0)
		return fail(&req->task, 404, "path_unknown", "There is nothing at this path.");
	req->more_headers = arena_printf(req->task.arena, "Allow: %s\r\n", reply_method_list(req->task.arena, allowed));
	req->form = route_find(routes, (enum method)(allowed & -allowed), &req->path, req->params, &allowed)->form;
	return fail(&req->task, 405, "method_refused", "This path does not take %s.", route_method_name(req->method));
}

/* Does the web server name a client on its own machine? */
static bool from_loopback(const struct request *req)
{
	const char *peer = wire_param(req->wire, "REMOTE_ADDR");
	struct in_addr four;
	struct in6_addr six;

	if (peer == NULL || *peer == '\0' || strcmp(peer, "unix:") == 0)
		return true;
	if (inet_pton(AF_INET, peer, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, peer, &six) == 1 &&
	       (IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127));
}

/* Who calls, as far as the request says it.  Whether the key is good, the first transaction finds out. */
static int identify(struct request *req)
{
	struct identity *who = &req->task.identity;
	const char *key = request_key(req), *tenant = wire_param(req->wire, "EXEDRA_TENANT");

	if (req->route->least == ANYONE)
		return 0;
	if (req->route->least == NOBODY)
		return fail(&req->task, 404, "path_unknown", "There is nothing at this path.");
	/* What needs no database and yet a role is the operator's. */
	if (key == NULL && (req->route->needs & NEEDS_NO_DB) != 0 && req->config->metrics_loopback &&
		from_loopback(req))
		return 0;
	if (key == NULL)
		return fail(&req->task, 401, "key_unknown", "No valid api key found.");
	who->entry = ENTER_BY_KEY;
	secret_sha256(key, strlen(key), who->key_hash);
	who->least = req->route->least;
	who->read_only = req->method == GET ? (req->route->needs & WRITES) == 0 : (req->route->needs & READS) != 0;
	who->group = route_group_name(req->route->group);
	who->tenant_name = tenant == NULL || *tenant == '\0' ? NULL : tenant;
	return 0;
}

/* The key comes first, always: before any other failure is told, the caller must be somebody. */
static void verify_caller(struct request *req)
{
	struct identity *who = &req->task.identity;
	struct failure failure = req->task.failure;

	if (who->entry != ENTER_BY_KEY || who->tenant_id != 0 || failure.status == 401 || failure.status == 503)
		return;
	fail_clear(&req->task);
	if (db_enter(&req->task) == 0)
		req->task.failure = failure;
}

/* Accounts belong to tenants that have several people; the others' programs are told so, in the original's words. */
static int need_multi_user(struct request *req)
{
	bool admin = strncmp(req->route->pattern, "/v1/admin/", 10) == 0;
	PGresult *rows;

	if ((req->route->needs & MULTI_USER) == 0)
		return 0;
	rows = db_rows(&req->task, &sql_setting_on, ARGS("multi_user"));
	if (rows == NULL)
		return -1;
	return db_true(rows, 0, "is_on")
		       ? 0
		       : fail(&req->task, 401, "multi_user_off", "%s",
				 admin ? "Unauthorized" : "Instance is not in Multi-User mode. Permission denied.");
}

static int take_body(struct request *req)
{
	int needs = req->route->needs;
	size_t limit = (needs & WIDGET) != 0 ? LIMIT_WIDGET : (needs & LARGE_BODY) != 0 ? LIMIT_TEXT : LIMIT_JSON;

	if ((needs & UPLOAD) != 0)
		return db_enter(&req->task);
	if ((needs & (BODY | LARGE_BODY)) == 0)
		return request_skip_body(req);
	if ((req->body_announced < 0 || req->body_announced > TRUST_BYTES) && db_enter(&req->task) < 0)
		return -1;
	if (request_read_body(req, limit) < 0)
		return -1;
	return request_parse_json(req);
}

/* With the arena too: when memory runs out in the middle, the place must not stay taken. */
static void leave_place(void *thing)
{
	bool *held = thing;

	if (*held) {
		atomic_fetch_sub(&streams_open, 1);
		metrics_add(METRIC_STREAMS, 0, 0, -1);
	}
	*held = false;
}

static int with_place(struct request *req)
{
	bool *held = arena_get(req->task.arena, sizeof(*held));
	int result;

	arena_later(req->task.arena, leave_place, held);
	if (atomic_fetch_add(&streams_open, 1) >= streams_most) {
		atomic_fetch_sub(&streams_open, 1);
		req->task.failure.retry_after_s = 1;
		return fail(&req->task, 503, "busy", "All places for chats and uploads are taken at the moment.");
	}
	*held = true;
	metrics_add(METRIC_STREAMS, 0, 0, 1);
	result = req->route->handler(req);
	leave_place(held);
	return result;
}

/* With a key or into an embed, entering tells whether the database fits this program; else it has to be asked. */
static int check_database(struct request *req)
{
	if (req->route->least != ANYONE || (req->route->needs & (NEEDS_NO_DB | WIDGET)) != 0)
		return 0;
	return db_rows(&req->task, &sql_session_check, ARGS(db_int_arg(req->task.arena, DB_SCHEMA_VERSION))) == NULL
		       ? -1
		       : 0;
}

static int run(struct request *req)
{
	if (request_read_head(req) < 0 || find_route(req) < 0)
		return -1;
	if (req->route == NULL) /* OPTIONS has been answered */
		return 0;
	if (identify(req) < 0 || need_multi_user(req) < 0 || take_body(req) < 0)
		return -1;
	if ((req->route->needs & UPLOAD) == 0) /* whose body is still to come */
		req->task.gone_fd = wire_gone_fd(req->wire);
	if (check_database(req) < 0)
		return -1;
	/* An upload takes as long as its client likes, too. */
	if ((req->route->needs & (STREAM | UPLOAD)) != 0)
		return with_place(req);
	return req->route->handler(req);
}

static void report(const struct request *req)
{
	const struct failure *failure = &req->task.failure;
	bool trouble = failure->status >= 500;
	int route = req->route == NULL ? 0 : 1 + (int)(req->route - routes);
	int64_t us = clock_us() - req->started_us;

	metrics_add(METRIC_REQUESTS, route, metrics_status(req->status), 1);
	metrics_observe(METRIC_REQUEST_TIME, route, us);
	log_event(trouble ? LOG_WARNING : LOG_INFO, &req->task, "request",
		"method=%s route=\"%s\" status=%d ms=%.1f tenant=%lld account=%lld%s%s%s",
		req->head          ? "HEAD"
		: req->method == 0 ? "?"
				   : route_method_name(req->method),
		req->route == NULL ? "?" : req->route->pattern, req->status, (double)us / 1000.0,
		(long long)req->task.identity.tenant_id, (long long)req->task.identity.account_id,
		failure->status != 0 ? " code=" : "", failure->status != 0 ? failure->code : "",
		req->wire->gone ? " gone=yes" : "");
}

static int answer(void *arg)
{
	struct request *req = arg;

	take_id(req);
	if (run(req) < 0) {
		verify_caller(req);
		if (req->status == 0)
			form_reply(req);
	}
	return 0;
}

static int refuse(void *arg)
{
	struct request *req = arg;

	take_id(req);
	req->task.failure.retry_after_s = 1;
	fail(&req->task, 503, "busy", "Every place is taken at the moment.");
	form_reply(req);
	return 0;
}

static int say_failure(void *arg)
{
	form_reply(arg);
	return 0;
}

/* A request that ran out of memory: all that it was about to do is off. */
static void exhausted(struct request *req)
{
	log_event(LOG_ERROR, &req->task, "memory", "problem=\"out of memory\"");
	if (req->status != 0) /* nobody is to take what has left for the whole */
		wire_cut(req->wire);
	else if (task_attempt(&req->task, say_failure, req) < 0 && req->status == 0)
		form_reply_bare(req);
}

/* malloc_trim() leaves the top of every arena but the main one; that goes when a piece of 64 kB or more is freed there.
 * volatile: a malloc() that is only freed would be left out by the compiler. */
static void give_memory_back(void)
{
	void *volatile piece;

	malloc_trim(0);
	piece = malloc(100 << 10);
	free(piece);
}

/* One request, by `work`, which is given the request and leaves it answered; how many bytes its body had. */
static size_t serve(struct wire *wire, const struct config *config, struct arena *arena, int (*work)(void *req))
{
	struct request req;

	begin(&req, wire, config, arena);
	if (task_attempt(&req.task, work, &req) < 0)
		exhausted(&req);
	report(&req);
	wire_end(wire);
	arena_empty(arena);
	return req.body_len;
}

void dispatch(struct wire *wire, const struct config *config, struct arena *arena)
{
	/* A parsed body is a million small pieces, which malloc would keep for the next ones. */
	if (serve(wire, config, arena, answer) > LARGE_BYTES)
		give_memory_back();
}

void dispatch_busy(struct wire *wire, const struct config *config, struct arena *arena)
{
	serve(wire, config, arena, refuse);
}
