/* SPDX-License-Identifier: ISC
 * Memory that lives as long as one piece of work (a request, a job, a unit test): take from it freely,
 * give nothing back, and empty it once at the end. */
#ifndef EXEDRA_ARENA_H
#define EXEDRA_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

struct arena;

/* A new, empty arena; NULL when there is no memory for it.  Ends with arena_free(). */
struct arena *arena_new(void);
void arena_free(struct arena *);
/* A new one inside the work of another: freed when that is emptied, may be emptied before.  Never NULL; without memory
 * the other's work ends. */
struct arena *arena_within(struct arena *);

/* Where to go when memory runs out inside the arena's work: arena_get() and its relatives longjmp() there
 * with 1 and never return NULL.  NULL (the default) ends the process with a log line instead.  Returns where it went so
 * far.  An arena within another one goes where that goes. */
jmp_buf *arena_escape(struct arena *, jmp_buf *);

/* Zeroed memory, aligned for any type. */
void *arena_get(struct arena *, size_t bytes);
/* A NUL-terminated copy of `len` bytes, or of a string (NULL stays NULL). */
char *arena_copy(struct arena *, const char *, size_t len);
char *arena_strdup(struct arena *, const char *);
char *arena_printf(struct arena *, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *, const char *format, va_list);

/* Have `release(thing)` called when the arena is emptied, last in first out.  What has a free of its own
 * (PGresult, json_object, curl_slist) is handed over the moment it is made. */
void arena_later(struct arena *, void (*release)(void *thing), void *thing);

/* Release all; the arena keeps its first block and may be used again. */
void arena_empty(struct arena *);
/* Leave the work that ran out of memory (or abort outside any): what arena_get() does when malloc fails. */
_Noreturn void arena_exhausted(struct arena *);

#endif
