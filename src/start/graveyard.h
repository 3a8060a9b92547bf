/* SPDX-License-Identifier: ISC
 * Workers that have died, in memory that master and workers share: whichever worker is next to look ends their open
 * chats, and tries again while the database is away. */
#ifndef EXEDRA_GRAVEYARD_H
#define EXEDRA_GRAVEYARD_H

#include <stdint.h>
#include <sys/types.h>

/* In the master, before the first fork; -1 without memory. */
int graveyard_open(void);
/* In the master: this worker is dead.  What it was about to bury itself is taken back. */
void graveyard_add(pid_t pid, const char *worker_id);
/* In the master: open chats of earlier pools of this node, whose workers' names do not begin with `pool`, have nobody.
 */
void graveyard_sweep(const char *node, const char *pool);

/* In a worker, once a second. */
void graveyard_tick(void);

#endif
