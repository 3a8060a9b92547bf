/* SPDX-License-Identifier: ISC
 * How many calls to one provider a process may have under way: one that hangs must not hold every thread. */
#ifndef EXEDRA_SLOTS_H
#define EXEDRA_SLOTS_H

#include "base/task.h"

/* Once a process, before the first call. */
void slots_limit(int most);
/* Take a slot of the provider at this address: its number, for slots_give() on every way out; -1 with a 503 in the task
 * when all are taken. */
int slots_take(struct task *, const char *url);
void slots_give(int place);

#endif
