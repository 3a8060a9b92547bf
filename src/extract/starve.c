/* SPDX-License-Identifier: ISC
 * Without memory the work ends at once.  The libraries abort, exit, jump or try again and again when they get none, and
 * the parent could not tell that from a crash.  A wish beyond all measure is another thing: a damaged file tells of
 * things that are not there, and the library that believed it gets no memory and goes on.  malloc of the program comes
 * before libc's for all of them (ELF symbol order); sanitizers have one of their own. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "extract/job.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

enum { MAX_WISHES = 16 };

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static void *check(void *got, size_t bytes)
{
	if (got != NULL)
		return got;
	if (job.shut_in) {
		static int n_wishes;

		job.finding->starved = 1;
		if (bytes < job.max_memory || ++n_wishes > MAX_WISHES)
			refuse(FILE_TOO_HUNGRY, "It takes more than %llu MiB of memory to read.",
				(unsigned long long)job.max_memory >> 20);
	}
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t bytes)
{
	return check(__libc_malloc(bytes), bytes);
}

void *calloc(size_t n, size_t bytes)
{
	size_t all;

	return check(__libc_calloc(n, bytes), __builtin_mul_overflow(n, bytes, &all) ? SIZE_MAX : all);
}

void *realloc(void *was, size_t bytes)
{
	void *got = __libc_realloc(was, bytes);

	/* of nothing: freed */
	return bytes == 0 ? got : check(got, bytes);
}

#endif
