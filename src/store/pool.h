/* SPDX-License-Identifier: ISC
 * A process's few database connections, lent to one task at a time. */
#ifndef EXEDRA_POOL_H
#define EXEDRA_POOL_H

#include <semaphore.h>

#include "base/config.h"
#include "base/task.h"
#include "store/conn.h"

/* Work that waits for a connection and may be done along with somebody else's. */
struct rider {
	struct rider *next;
	sem_t woken;
	int n_calls;       /* how often it was told to look for a free one; woken once more, it has been let off */
	int64_t place;     /* in the line; 0 = it has not waited */
	unsigned char who; /* whose it is: callers take turns */
	bool willing, taken, done;
};

/* Set up the pool of this process; the config must outlive it.  Connections are made on demand. */
void pool_open(const struct config *);
/* Close all idle connections. */
void pool_close(void);

/* A connection that looks alive, in pipeline mode, its session prepared.  Waits for a free one until the deadline
 * (clock_ms).  NULL with a 503 in the task when there is none; or, where there is a rider, without one and with
 * rider->done: somebody else has done its work. */
struct conn *pool_take(struct task *, int64_t deadline_ms, struct rider *);
/* With a connection in hand: up to `most` riders that wait for one, in a list; every one is to be let off again. */
struct rider *pool_riders(int most);
void pool_let_off(struct rider *list);
/* Give it back; a broken one is closed. */
void pool_give(struct task *, struct conn *);

/* Settings that statements need. */
const struct config *pool_config(void);

#endif
