/* SPDX-License-Identifier: ISC
 * A stream of server-sent events taken apart, however its bytes arrive (WHATWG HTML section 9.2.6). */
#ifndef EXEDRA_SSE_H
#define EXEDRA_SSE_H

#include <stdbool.h>

#include "base/str.h"

enum { SSE_MAX_LINE = 1 << 20 }; /* bytes of one line, and of one event's data */

struct sse {
	struct str *line, *data;
	char event[32]; /* the event's name, cut; "" = message */
	bool has_data, after_cr, bom_seen;
	/* Called for each event that has data.  Returns 0 to go on; what else it returns sse_feed() returns. */
	int (*on_event)(void *arg, const char *event, const char *data, size_t len);
	void *arg;
};

void sse_open(struct sse *, struct arena *, int (*on_event)(void *, const char *, const char *, size_t), void *arg);
/* Take bytes.  0; -2 when a line or an event is too long; else what on_event returned. */
int sse_feed(struct sse *, const char *bytes, size_t len);
/* The stream has ended.  An event without its blank line is delivered too: providers leave it out. */
int sse_end(struct sse *);

#endif
