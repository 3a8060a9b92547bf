/* SPDX-License-Identifier: ISC */
#include "core/best.h"

#include <stdlib.h>

static int better_first(const void *a, const void *b, void *scope)
{
	const struct found *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return scope_compare(scope, x->passage, y->passage);
}

static bool is_worse(const struct best *best, const struct found *a, const struct found *b)
{
	return better_first(a, b, (void *)best->scope) > 0;
}

struct best best_new(struct arena *arena, const struct scope *scope, int most)
{
	return (struct best){.scope = scope, .at = arena_get(arena, (size_t)most * sizeof(struct found)), .most = most};
}

/* From the end up to where it is worse than what is below. */
static void rise(struct best *best, struct found one)
{
	int at = best->n++;

	for (; at > 0 && is_worse(best, &one, &best->at[(at - 1) / 2]); at = (at - 1) / 2)
		best->at[at] = best->at[(at - 1) / 2];
	best->at[at] = one;
}

/* Into the place of the worst, down to where it belongs. */
static void sink(struct best *best, struct found one)
{
	int at = 0, child;

	while ((child = 2 * at + 1) < best->n) {
		if (child + 1 < best->n && is_worse(best, &best->at[child + 1], &best->at[child]))
			child++;
		if (is_worse(best, &one, &best->at[child]))
			break;
		best->at[at] = best->at[child];
		at = child;
	}
	best->at[at] = one;
}

void best_add(struct best *best, int passage, double score)
{
	struct found one = {passage, score};

	if (best->n < best->most)
		rise(best, one);
	else if (is_worse(best, &best->at[0], &one))
		sink(best, one);
}

void best_sort(struct best *best)
{
	qsort_r(best->at, (size_t)best->n, sizeof(*best->at), better_first, (void *)best->scope);
}
