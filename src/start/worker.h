/* SPDX-License-Identifier: ISC
 * A worker process: threads that accept, answer and go, and its end. */
#ifndef EXEDRA_WORKER_H
#define EXEDRA_WORKER_H

#include "base/config.h"

/* What a worker is told by the master that starts it. */
struct worker_birth {
	const char *id;           /* its own name (core/worker_id.h) */
	const char *node;         /* what the names of this node's workers begin with */
	const char *const *dead;  /* workers that have died: their open chats are to be ended */
	size_t n_dead;
	int64_t sweep_ms;         /* this node's chats opened more than so long ago have no worker; -1: nothing to sweep */
};

/* Serve the listening socket until SIGTERM, then let requests finish for at most `drain` seconds.  Returns the exit
 * status of the process. */
int worker_run(const struct config *, int listen_fd, const struct worker_birth *);

#endif
