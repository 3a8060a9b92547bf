/* SPDX-License-Identifier: ISC
 * Passages by their vectors, in two stages: a shortlist by the codes of all, a bit a component, then the exact order by
 * the vectors of these.  The shortlist is made in two stages itself: the codes that differ least from the question's
 * are weighed with its vector, component by component. */
#ifndef EXEDRA_NEAREST_H
#define EXEDRA_NEAREST_H

#include "core/best.h"
#include "core/embed.h"

/* The nearest passages, nearest first, each with the cosine as score: a list of 400, one more for each 1,000 passages
 * in scope, and no less than `least`.  Only versions that have all their vectors by the embedder are looked at.  With
 * `without_pinned` none of pinned documents.  Memory in `arena`. How many, -1 with the reason in the task. */
int nearest_find(struct task *, struct arena *, const struct scope *, const struct vector *question, int least,
	bool without_pinned, struct found **out);

#endif
