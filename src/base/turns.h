/* SPDX-License-Identifier: ISC
 * Places that are few, where tenants take turns (as with jobs, sql/function/60-job.sql): whoever waits stands one place
 * behind the last of their own tenant's or, if none of it waits, behind the one that was let in last.  So who comes
 * with a thousand things holds nobody up for longer than who comes with one. */
#ifndef EXEDRA_TURNS_H
#define EXEDRA_TURNS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/task.h"

struct turns {
	pthread_mutex_t lock;
	struct turn *first; /* who waits, the longest first */
	int left;
	int64_t front; /* the place of the one that was let in last */
};

/* Wait for a place for the task's tenant until a deadline on clock_ms(), or until the task is stopped or whoever asked
 * has gone.  True: it has one, and gives it back by turns_give(). */
bool turns_take(struct turns *, const struct task *, int64_t deadline_ms);
void turns_give(struct turns *);

#endif
