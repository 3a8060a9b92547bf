/* SPDX-License-Identifier: ISC
 * Passages for a question. */
#ifndef EXEDRA_RETRIEVE_H
#define EXEDRA_RETRIEVE_H

#include "base/task.h"
#include "llm/provider.h"

/* The best passages of a workspace, best first; they belong to the task's arena.  Returns how many (at most `most`),
 * or -1 with the reason in the task. */
int retrieve_passages(struct task *, int64_t workspace_id, const char *question, int most, const struct passage **);

#endif
