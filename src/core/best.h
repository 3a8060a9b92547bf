/* SPDX-License-Identifier: ISC
 * The best of many passages, without sorting them all. */
#ifndef EXEDRA_BEST_H
#define EXEDRA_BEST_H

#include "core/scope.h"

/* A passage by its number in the scope, and how well it fits. */
struct found {
	int passage;
	double score;
};

struct best {
	const struct scope *scope;
	struct found *at; /* a heap: of those kept the worst is first */
	int n, most;
};

/* Room for `most` (1 or more) in the arena. */
struct best best_new(struct arena *, const struct scope *, int most);
/* Keep this one too, unless there are so many that are better.  Of equal ones the first of the version is better. */
void best_add(struct best *, int passage, double score);
/* Sort what was kept, the best first; no more may be added. */
void best_sort(struct best *);

#endif
