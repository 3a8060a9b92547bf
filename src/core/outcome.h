/* SPDX-License-Identifier: ISC
 * What became of a chat, on record: answer, sources, metrics and the ledger in one commit, before any client may
 * believe that the reply is complete. */
#ifndef EXEDRA_OUTCOME_H
#define EXEDRA_OUTCOME_H

#include "core/chat.h"

/* After an answer, a refusal, an empty completion or a client that went (chat.end).  Fills sources and metrics.  -1
 * with the reason in the task when it could not be stored; it is tried again later then (core/settle.h). */
int outcome_store(struct chat *);
/* After a failure: the reason stays in the task, whatever happens here. */
void outcome_store_failure(struct chat *);

#endif
