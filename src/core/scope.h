/* SPDX-License-Identifier: ISC
 * What a search may find: passages of all documents in some workspaces and files, and the words of the question in the
 * languages of these. */
#ifndef EXEDRA_SCOPE_H
#define EXEDRA_SCOPE_H

#include <stdint.h>

#include "base/task.h"

enum { SCOPE_MAX_LANGUAGES = 64 };

/* Passages in a row: of a version from number `no` on, of a segment from number `first` on.  Among all in scope they
 * have the numbers from `base` on. */
struct part {
	int64_t document_id, version_id, segment_id;
	int no, first, n, base;
	uint32_t n_buckets; /* of the segment */
	uint64_t language;  /* a bit of its own for each */
	bool pinned;
	const unsigned char *lengths; /* in words: two bytes a passage, the higher first */
};

/* A word of the question. */
struct term {
	const char *lexeme;
	size_t len;
	uint32_t hash;      /* postings_hash() */
	uint64_t languages; /* bits of those that have it */
};

struct scope {
	struct part *parts; /* by segment, then as they stand in it */
	int n_parts, n_passages;
	struct term *terms; /* by lexeme */
	int n_terms;
	uint64_t simple; /* bit of the configuration without stop words */
};

struct retrieve_scope;

/* Read it; memory in `arena`.  -1 with the reason in the task. */
int scope_read(struct task *, struct arena *, const struct retrieve_scope *, const char *question, struct scope *out);

/* The part that has this passage, by its number among all. */
const struct part *scope_part(const struct scope *, int passage);
/* By which passages are ordered that are otherwise equal: whatever segments they are in. */
int scope_compare(const struct scope *, int a, int b);

#endif
