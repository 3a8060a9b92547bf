/* SPDX-License-Identifier: ISC
 * Passages for a question. */
#ifndef EXEDRA_RETRIEVE_H
#define EXEDRA_RETRIEVE_H

#include "base/task.h"
#include "llm/provider.h"

/* The best passages of a workspace, best first; they belong to the task's arena.  Returns how many (at most `most`),
 * or -1 with the reason in the task. */
int retrieve_passages(struct task *, int64_t workspace_id, const char *question, int most, const struct passage **);

/* Passages that earlier answers of an open chat's conversation were based on, for a question that found too few of its
 * own: up to `most` that are not among the `n` of `found`.  They are shown to the model, not cited.  As above. */
int retrieve_earlier(struct task *, const struct passage *found, int n, int most, const struct passage **);

#endif
