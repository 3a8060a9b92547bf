/* SPDX-License-Identifier: ISC
 * An answer as an event stream.  Its head waits for the first event, so that what fails before is an honest status. */
#ifndef EXEDRA_STREAM_H
#define EXEDRA_STREAM_H

#include "web/request.h"

struct stream {
	struct request *req;
	struct str *out;
	bool begun;       /* the head has left: the status is 200, whatever comes */
	const char *type; /* Content-Type */
};

void stream_open(struct stream *, struct request *, const char *type);
/* Send `data: ` and one line of JSON as an event, at once.  -1 when the client has gone. */
int stream_event(struct stream *, const char *json, size_t len);
/* Send a comment: a sign of life that every reader skips. */
int stream_comment(struct stream *);

#endif
