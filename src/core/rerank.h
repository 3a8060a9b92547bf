/* SPDX-License-Identifier: ISC
 * Passages that were found for a question are put into the order that a model finds, which reads both. */
#ifndef EXEDRA_RERANK_H
#define EXEDRA_RERANK_H

#include "base/config.h"
#include "base/task.h"
#include "llm/provider.h"
#include "llm/service.h"

/* The best `most` of them come first; the score of these is what the service says, where that is from 0 to 1.  Whatever
 * goes wrong stands in the log, and the order stays. */
void rerank(struct task *, const struct config *, const struct service_setup *, const char *question,
	struct passage *passages, int n, int most);

#endif
