/* SPDX-License-Identifier: ISC
 * A worker process: threads that accept, answer and go, and its end. */
#ifndef EXEDRA_WORKER_H
#define EXEDRA_WORKER_H

#include "base/config.h"

/* Serve the listening socket until SIGTERM, then let requests finish for at most `drain` seconds.  `id` is this
 * worker's name (core/worker_id.h).  Returns the exit status of the process. */
int worker_run(const struct config *, int listen_fd, const char *id);

#endif
