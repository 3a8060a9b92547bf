/* SPDX-License-Identifier: ISC
 * Files without a name: gone with their last descriptor, whatever becomes of the process. */
#ifndef EXEDRA_TEMP_H
#define EXEDRA_TEMP_H

#include <stddef.h>

#include "base/arena.h"
#include "base/task.h"

/* A new one in TMPDIR (else /tmp), to be read and written; closed with the arena.  -1 when there is none to be had. */
int temp_open(struct arena *);
/* Write all of it at the file's offset; -1 when the disk is full. */
int temp_write(int fd, const char *bytes, size_t len);
/* A file's content as memory, until the arena is emptied; NULL with *len 0 when it is empty, (void *)-1 when it cannot
 * be mapped. */
const char *temp_map(struct arena *, int fd, size_t *len);
/* Say in the log why one of these did not work, as errno has it, and to the client that there is no place for `what`.
 * -1. */
int temp_fail(struct task *, const char *what);
/* What was read of a mapped file up to here need not stay in memory. */
void temp_passed(const char *map, size_t upto);

#endif
