/* SPDX-License-Identifier: ISC
 * How many calls to one provider a process may have under way: one that hangs must not hold every thread. */
#ifndef EXEDRA_SLOTS_H
#define EXEDRA_SLOTS_H

#include "base/task.h"

/* Once a process, before the first call. */
void slots_limit(int most);
/* Take a slot of the provider at this address, which is given back with the arena.  When all are taken, wait for one
 * until this moment of clock_ms(), or for none (0), unless the task is stopped.  0; -1 with a 503 in the task. */
int slots_hold(struct task *, struct arena *, const char *url, int64_t until_ms);

#endif
