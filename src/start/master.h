/* SPDX-License-Identifier: ISC
 * The master process: holds the socket, keeps the workers running, hands signals on. */
#ifndef EXEDRA_MASTER_H
#define EXEDRA_MASTER_H

#include "base/config.h"

/* Keep the signals of a pool pending until master_run() waits for them: before anything is set up that a handler of
 * libfcgi's could leave half done. */
void master_hold_signals(void);
/* Run workers on the listening socket until SIGTERM or SIGINT.  SIGHUP reads the configuration again (from `path`,
 * which may be NULL), starts new workers with it and drains the old ones; a bad one is refused and the old kept.  Takes
 * over the config.  `remove` is the path of a socket to take away at the end, or NULL; `verbose`: log.level is not
 * heeded. Returns the exit status of the process. */
int master_run(struct config *, const char *path, int listen_fd, const char *remove, bool verbose);

#endif
