/* SPDX-License-Identifier: ISC
 * A chat's first step: its question is on record, and all that answering it needs has been read. */
#ifndef EXEDRA_OPENING_H
#define EXEDRA_OPENING_H

#include "core/chat.h"

/* Put the question on record, in one round trip with the key's check; from here on the chat's ticket stands for the
 * key.  Takes a place under limits first, where there are any.  0, or -1 with the reason in the task. */
int opening_make(struct chat *);
/* Who answers: the tenant's provider that the workspace names or the tenant prefers, else the server's.  Nothing to do
 * for a question that goes straight to a model.  0, or -1 with the reason in the task. */
int opening_provider(struct chat *);

/* Is there such a workspace, and such a thread in it (NULL: not asked)?  -1 with workspace_unknown or thread_unknown in
 * the task when not. */
int opening_find(struct task *, const char *slug, const char *thread);
/* Take the caller's conversation out of what the model is shown. */
int opening_reset(const struct chat *);

#endif
