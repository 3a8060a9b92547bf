/* SPDX-License-Identifier: ISC
 * Limits of a tenant, an account, a key: what asks a model holds a place under them while it is under way
 * (sql/function/25-limit.sql).  Nothing of this is asked where the tenant has none. */
#ifndef EXEDRA_LIMIT_H
#define EXEDRA_LIMIT_H

#include "base/task.h"

/* Take a place for the request with this ticket (a uuid of its own), before it asks; `bytes` is how much it says.  -1
 * with the reason in the task: 429, which limit it is and when there is room again. */
int limit_hold(struct task *, const char *ticket, size_t bytes);
/* The request has ended: it has used so many tokens; or, with `counts` false, it has asked no model after all and what
 * it held is given back.  The reason of a failure stays in the task, whatever happens here. */
void limit_settle(struct task *, const char *ticket, int64_t tokens, bool counts);

#endif
