/* SPDX-License-Identifier: ISC
 * Calls to other servers, by libcurl: blocking for the caller, but awake, once a second at least, to silence and to a
 * client that goes. */
#ifndef EXEDRA_HTTP_H
#define EXEDRA_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/task.h"

/* How a call ended. */
enum http_end {
	HTTP_DONE,        /* the whole answer has come */
	HTTP_DONE_EARLY,  /* the caller had enough, and the body had not ended */
	HTTP_STOPPED,     /* a callback said stop */
	HTTP_CLIENT_GONE, /* nobody waits for it any more */
	HTTP_UNREACHABLE, /* no connection, no name, no TLS */
	HTTP_CONNECT_TIMEOUT,
	HTTP_FIRST_TIMEOUT, /* connected, but no answer */
	HTTP_IDLE_TIMEOUT,  /* silent in the middle */
	HTTP_BROKEN,        /* reset, cut, or no HTTP */
	HTTP_TASK_STOPPED,  /* http_stop_task() */
	HTTP_FORBIDDEN,     /* the guard refused every address */
};

struct http_call {
	const char *url;
	const char *const *headers; /* NULL at the end */
	const char *body;           /* POST; NULL, and `send` too: GET */
	size_t body_len;
	/* Gives the body instead, piece by piece: up to `room` bytes from `at` on; how many, -1 to stop. */
	ssize_t (*send)(void *arg, size_t at, char *to, size_t room);
	int connect_timeout_s, first_timeout_s, idle_timeout_s, total_timeout_s;
	const char *allowed; /* not NULL: the address is somebody's word; only public ones, and these (outbound.h) */
	char *location;      /* room for where the answer sends one to, unchecked; "" = nowhere.  NULL: not wanted */
	size_t location_room;
	int silence_s; /* call `silence` after so many quiet seconds, again and again */

	bool fresh;  /* on a new connection */
	bool enough; /* set by `data`: nothing more is wanted; the call ends well at once */
	bool idle;   /* set by `data`: what came was a sign of life and no more; for `silence` it stays quiet */

	/* Each returns 0 to go on and -1 to stop.  `data` may be called many times; `silence` and `gone` may be NULL.
	 */
	int (*data)(void *arg, const char *bytes, size_t len);
	int (*silence)(void *arg);
	bool (*gone)(void *arg); /* asked when the task's gone_fd stirs */
	void *arg;

	/* What came. */
	enum http_end end;
	const char *cause; /* libcurl's or OpenSSL's words, the same for every call; NULL: nothing went wrong */
	bool hopeless;     /* the same call would fail again */
	int status;        /* 0 = no answer */
	char type[64];     /* content type, lower case, without parameters */
	char charset[40];  /* its parameter of that name, lower case; "" = not said, or no plain word */
	int retry_after_s; /* 0 = not said, or nonsense */
	bool any_data;
	bool sent; /* the whole body has gone out, and will not be asked for again: its memory may go */
};

/* In the master, before the first fork; -1 when libcurl does not work here. */
int http_start(void);
/* In a worker that ends: close what is kept open. */
void http_stop(void);
/* Make the call; everything that came of it is in *call.  Redirects are not followed, no proxy is used. */
void http_run(struct task *, struct http_call *);
/* End a task's calls, from another thread: the one under way within a second, and all later ones. */
void http_stop_task(struct task *, enum stop);

#endif
