/* SPDX-License-Identifier: ISC
 * A request, from the web server's parameters to what a handler reads. */
#ifndef EXEDRA_REQUEST_H
#define EXEDRA_REQUEST_H

#include <json-c/json.h>

#include "base/config.h"
#include "base/str.h"
#include "base/task.h"
#include "web/route.h"
#include "web/wire.h"

struct request {
	struct task task;
	struct wire *wire;
	const struct config *config;

	enum method method;
	bool head; /* HEAD: as GET, without a body in the answer */
	struct path path;
	const char *query;         /* raw, behind the question mark; "" = none */
	const struct route *route; /* NULL until one has been found */
	enum form form;            /* of a failure before that: the path's, by its other methods */
	struct path_param params[ROUTE_MAX_PARAMS];
	int64_t body_announced; /* CONTENT_LENGTH, or -1 when it is not said */
	const char *body;
	size_t body_len;
	struct json_object *json; /* with BODY and LARGE_BODY: an object, maybe an empty one */
	struct json_object *list; /* with LIST: an array instead */

	const char *reader;       /* with WIDGET: the origin whose pages may read the answer; NULL = none */
	const char *more_headers; /* lines for the head of the answer; NULL = none */
	int status;               /* what has been answered; 0 = nothing yet */
	int64_t started_us;
};

/* Read method, path, query and the announced length.  0, or -1 with the reason in the task. */
int request_read_head(struct request *);
/* Read the body of at most `limit` bytes piece by piece: `take` gets each, and returns 0 to go on or -1 with the reason
 * in the task.  0 or -1: that, 413, 415, 400. */
int request_read_pieces(
	struct request *, size_t limit, int (*take)(void *arg, const char *bytes, size_t len), void *arg);
/* The same, whole, into req->body. */
int request_read_body(struct request *, size_t limit);
/* Read and forget a body that the row does not want: what is small, so that the connection can be kept. */
int request_skip_body(struct request *);
/* Take the body as a JSON object (no body counts as {}), or as an array where the row says so. */
int request_parse_json(struct request *);

/* What {name} bound in the path; NULL when the row has none such. */
const char *request_param(const struct request *, const char *name);
/* An id as we write them: the text itself, or "0", which is nobody's, where it is no number, signed, too long, or has
 * zeros before it. */
const char *request_id(const char *text);
/* The first value of a query parameter, percent-decoded, valid UTF-8 without NUL; NULL when it is not there. */
const char *request_query(struct request *, const char *name);
/* The API key: Authorization: SCHEME KEY (the scheme is not looked at, as clients rely on), else x-api-key or api-key,
 * else the cookie `token`. */
const char *request_key(const struct request *);

#endif
