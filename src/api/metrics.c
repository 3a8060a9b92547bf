/* SPDX-License-Identifier: ISC */
#include "api/api.h"
#include "base/metrics.h"
#include "store/db.h"
#include "web/reply.h"

/* What fits no row of the table: unknown paths, preflights, requests that are turned away. */
static void name_route(int place, const char **method, const char **pattern)
{
	*method = place == 0 ? "any" : route_method_name(routes[place - 1].method);
	*pattern = place == 0 ? "none" : routes[place - 1].pattern;
}

/* The numbers are all tenants': they need no database, only the key does, where there is one (web/dispatch.c lets
 * clients on this machine in without, where that is allowed). */
int metrics_show(struct request *req)
{
	struct str *out = str_new(req->task.arena);

	if (req->task.identity.entry != ENTER_NOTHING && db_enter(&req->task) < 0)
		return -1;
	if (!metrics_counted())
		return fail(&req->task, 501, "metrics_missing", "A CGI process counts nothing: run a pool.");
	metrics_write(out, name_route);
	reply_head(req, 200, "text/plain; version=0.0.4; charset=utf-8", (int64_t)out->len, NULL);
	if (!req->head)
		wire_write(req->wire, out->at, out->len);
	return 0;
}
