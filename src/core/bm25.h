/* SPDX-License-Identifier: ISC
 * Passages by the words they share with a question. */
#ifndef EXEDRA_BM25_H
#define EXEDRA_BM25_H

#include "core/best.h"

enum { BM25_STALE = -2 };

/* The best passages, best first, by BM25 over all in scope (k1 = 1.2, b = 0.75; Robertson and Zaragoza 2009, section
 * 3.2).  Of what stands in the passages just before and behind half counts as well.  A passage has at least one of the
 * words itself.  Under the text search configuration `simple`, which has no list of stop words, a word in more than
 * half of at least 20 passages counts as one.  With `without_pinned` none of pinned documents, which count all the
 * same.  Memory in `arena`.  How many; -1 with the reason in the task; BM25_STALE when segments have been merged since
 * the scope was read: read it again. */
int bm25_find(struct task *, struct arena *, const struct scope *, int most, bool without_pinned, struct found **out);

/* A score as a number between 0 and 1. */
double bm25_norm(double score);

#endif
