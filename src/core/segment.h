/* SPDX-License-Identifier: ISC
 * Segments: the words of passages as they are stored.  A version brings its own, a search reads them, small ones are
 * merged by and by. */
#ifndef EXEDRA_SEGMENT_H
#define EXEDRA_SEGMENT_H

#include <libpq-fe.h>

#include "base/config.h"
#include "base/task.h"

struct segment_writer;

/* The words of a version, passage by passage from its first.  Memory for 1,000 passages; it belongs to the task. */
struct segment_writer *segment_begin(struct task *, const char *version, const char *language);
/* The next passages: rows of sql_chunk_write, in binary. */
int segment_add(struct segment_writer *, PGresult *words);
/* Write what is left.  Each: -1 with the reason in the task. */
int segment_end(struct segment_writer *);

/* The job merge_words: a segment, by its id, and others that are small are put together. */
int segment_merge(struct task *, const struct config *, const char *segment);
void segment_merge_failed(struct task *, const struct config *, const char *segment, const char *reason);

#endif
