/* SPDX-License-Identifier: ISC
 * Who changed what, for the tenant's managers and administrators.  A route of our own: the original shows its events to
 * its own pages only. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "store/db.h"
#include "web/reply.h"

enum { PRESET = 50, MOST = 500, DIGITS = 18 };

/* A whole number of the query as text for a statement, NULL when it is not there. */
static int query_number(struct request *req, const char *name, const char **number)
{
	const char *text = request_query(req, name);
	size_t len = text == NULL ? 0 : strlen(text);

	*number = text;
	if (text == NULL || (len > 0 && len <= DIGITS && text[strspn(text, "0123456789")] == '\0'))
		return 0;
	return fail_field(&req->task, 422, "field_range", name, "%s must be a whole number.", name);
}

int anythingllm_event_list(struct request *req)
{
	const char *limit, *before, *after;
	PGresult *rows;

	if (query_number(req, "limit", &limit) < 0 || query_number(req, "before", &before) < 0 ||
		query_number(req, "after", &after) < 0)
		return -1;
	if (limit != NULL && (atoll(limit) < 1 || atoll(limit) > MOST))
		return fail_field(&req->task, 422, "field_range", "limit", "limit is from 1 to %d.", MOST);
	if (limit == NULL)
		limit = db_int_arg(req->task.arena, PRESET);
	rows = db_rows(&req->task, &sql_event_list, ARGS(before, after, request_query(req, "action"), limit));
	if (rows == NULL)
		return -1;
	return reply_json_printf(req, 200, "{\"events\":%s,\"hasMore\":%s}", db_text(rows, 0, "page"),
		db_true(rows, 0, "more") ? "true" : "false");
}
