/* SPDX-License-Identifier: ISC
 * What a model is shown: the system prompt with its variables, passages, history and question, within its window. */
#ifndef EXEDRA_PROMPT_H
#define EXEDRA_PROMPT_H

#include "core/chat.h"

/* Fill chat->call.messages.  Order of precedence in the window: room for the answer, the system prompt, pinned
 * documents, the newest history, passages.  The question is never cut: -1 with a 400 when it does not fit. */
int prompt_assemble(struct chat *);

#endif
