/* SPDX-License-Identifier: ISC
 * What the fuzzing targets share.  Each is one function that takes any bytes and ends the process when a promise of a
 * header in src/ does not hold.  t/fuzz/run gives them to libFuzzer; replay.c makes programs of them that read files.
 */
#ifndef EXEDRA_FUZZ_H
#define EXEDRA_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* In any build, whatever assert() does there. */
#define must(holds)                                                                                                    \
	do {                                                                                                           \
		if (!(holds)) {                                                                                        \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds);                            \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

/* A copy of its own size, so that a read behind it is seen; free() it. */
__attribute__((unused)) static char *exact(const char *bytes, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	must(copy != NULL);
	return len > 0 ? memcpy(copy, bytes, len) : copy;
}

/* How to cut a text into pieces: the same for the same text. */
struct cuts {
	uint32_t state;
};

__attribute__((unused)) static struct cuts cuts_of(const char *bytes, size_t len)
{
	struct cuts cuts = {2166136261u};

	for (size_t i = 0; i < len; i++)
		cuts.state = (cuts.state ^ (unsigned char)bytes[i]) * 16777619u;
	return cuts;
}

/* The next piece: 1 to 16 bytes, now and then many, `left` at most. */
__attribute__((unused)) static size_t next_cut(struct cuts *cuts, size_t left)
{
	size_t n;

	cuts->state = cuts->state * 1664525u + 1013904223u;
	n = 1 + (cuts->state >> 24) % 16;
	if (cuts->state >> 28 == 0)
		n *= 64;
	return n < left ? n : left;
}

/* Takes the next line of the input, without its end: its begin, and *n its length.  NULL at the end. */
__attribute__((unused)) static const char *next_line(const char **at, const char *end, size_t *n)
{
	const char *from = *at, *stop;

	if (from == end)
		return NULL;
	stop = memchr(from, '\n', (size_t)(end - from));
	*at = stop == NULL ? end : stop + 1;
	*n = (size_t)((stop == NULL ? end : stop) - from);
	if (*n > 0 && from[*n - 1] == '\r')
		--*n;
	return from;
}

__attribute__((unused)) static bool same_text(const struct str *one, const struct str *two)
{
	return one->len == two->len && (one->len == 0 || memcmp(one->at, two->at, one->len) == 0);
}

#endif
