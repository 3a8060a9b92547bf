/* SPDX-License-Identifier: ISC
 * Passages by number, before the question: how a model is shown what it is to cite as [1]. */
#ifndef EXEDRA_CONTEXT_H
#define EXEDRA_CONTEXT_H

#include "core/chat.h"

/* What they stand in; {{CONTEXT}} is where they go. */
extern const char context_template[];

/* Put the chat's cited passages, as far as there is room (in tokens), before the text of the last of `n` messages when
 * it is a user's, else into one more behind it.  Returns how many messages there are then. */
int context_put(const struct chat *, struct llm_message *, int n, int64_t *room);

#endif
