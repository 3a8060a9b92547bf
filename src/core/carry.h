/* SPDX-License-Identifier: ISC
 * Documents that a question brings along: read for its answer, shown to the model, stored nowhere. */
#ifndef EXEDRA_CARRY_H
#define EXEDRA_CARRY_H

#include "core/ingest.h"
#include "core/read.h"
#include "llm/provider.h"

/* Read a file, its bytes in base64 or in a data URI of that, into documents (the reading's, one or several).  -1 with
 * the reason in the task, which names the file where it is the caller's fault. */
int carry_read(struct task *, const struct config *, const char *name, const char *content, struct reading *);

/* The documents as passages, whole as far as `bytes` go for all together; without score and id. */
const struct passage *carry_passages(struct arena *, const struct document *, int n, size_t bytes);

#endif
