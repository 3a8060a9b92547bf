/* SPDX-License-Identifier: ISC */
#include "start/graveyard.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/watch.h"
#include "core/worker_id.h"

enum { AGAIN_MS = 1000 }; /* between two tries, and between the first burial and the second */
/* More deaths than graves while the database is away: the last ones wait for the sweep of the next pool. */
enum { GRAVES = 256 };
enum { FREE = 0, DEAD = -1 }; /* a grave's state; else the pid of the worker that is at it */

struct grave {
	int state;
	bool once; /* buried once: once more, for what the database was still about to commit */
	int64_t again_ms;
	char id[WORKER_ID_TEXT];
};

static struct {
	struct grave graves[GRAVES];
	int sweep; /* FREE: nothing to do; DEAD: to be done; else the pid */
	char node[WORKER_ID_TEXT], pool[WORKER_ID_TEXT];
} * yard;

int graveyard_open(void)
{
	void *shared = mmap(NULL, sizeof(*yard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return -1;
	yard = shared;
	return 0;
}

static bool change(int *state, int from, int to)
{
	return __atomic_compare_exchange_n(state, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

void graveyard_add(pid_t pid, const char *worker_id)
{
	bool added = false;
	int i;

	change(&yard->sweep, pid, DEAD);
	for (i = 0; i < GRAVES; i++) {
		struct grave *grave = &yard->graves[i];

		change(&grave->state, pid, DEAD);
		if (!added && __atomic_load_n(&grave->state, __ATOMIC_ACQUIRE) == FREE) {
			snprintf(grave->id, sizeof(grave->id), "%s", worker_id);
			grave->once = false;
			grave->again_ms = 0;
			__atomic_store_n(&grave->state, DEAD, __ATOMIC_RELEASE);
			added = true;
		}
	}
}

void graveyard_sweep(const char *node, const char *pool)
{
	snprintf(yard->node, sizeof(yard->node), "%s", node);
	snprintf(yard->pool, sizeof(yard->pool), "%s", pool);
	__atomic_store_n(&yard->sweep, DEAD, __ATOMIC_RELEASE);
}

/* The grave's next state. */
static int bury(struct grave *grave)
{
	bool done = watch_bury(grave->id, NULL, NULL) == 0;

	if (done && grave->once)
		return FREE;
	grave->once = grave->once || done;
	grave->again_ms = clock_ms() + AGAIN_MS;
	return DEAD;
}

void graveyard_tick(void)
{
	int me = (int)getpid(), i;

	for (i = 0; i < GRAVES; i++) {
		struct grave *grave = &yard->graves[i];

		if (clock_ms() >= grave->again_ms && change(&grave->state, DEAD, me))
			__atomic_store_n(&grave->state, bury(grave), __ATOMIC_RELEASE);
	}
	if (change(&yard->sweep, DEAD, me))
		__atomic_store_n(
			&yard->sweep, watch_bury(NULL, yard->node, yard->pool) == 0 ? FREE : DEAD, __ATOMIC_RELEASE);
}
