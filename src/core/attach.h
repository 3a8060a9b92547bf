/* SPDX-License-Identifier: ISC
 * Passages of what a question brings along: files, collections of them, texts. */
#ifndef EXEDRA_ATTACH_H
#define EXEDRA_ATTACH_H

#include "core/chat.h"

/* The passages of some workspaces and files (ids as arrays of SQL) that answer a question, the best first.  How many,
 * at most `most`, or -1 with the reason in the task. */
int attach_search(struct task *, const struct config *, const char *workspaces, const char *files, const char *question,
	int most, const struct passage **);
/* Add what is found in the chat's items to its cited passages, in the order of the items, the best first in each, none
 * twice.  -1 with the reason in the task. */
int attach_find(struct chat *);
/* Replace passages by copies with `origin` and `meta`.  As above. */
int attach_describe(struct task *, const struct passage **, int n);

#endif
