/* SPDX-License-Identifier: ISC
 * A long text cut into overlapping pieces: at paragraphs where they fit, else at lines, words, characters. */
#ifndef EXEDRA_CHUNK_H
#define EXEDRA_CHUNK_H

#include <stddef.h>

/* One piece: a slice of the text it was cut from. */
struct chunk {
	size_t at;  /* offset in bytes */
	size_t len; /* in bytes; never 0, never inside a UTF-8 character */
};

struct chunk_walk {
	const char *text; /* valid UTF-8 */
	size_t len;
	size_t max_chars; /* characters (code points) of a piece at most */
	size_t overlap;   /* characters that two neighbours share at most */
	size_t at;        /* where the walk is; 0 to begin */
	size_t floor;     /* end of the piece before, in bytes; 0 to begin */
};

/* The next piece in *chunk and 1, or 0 at the end.  Pieces come in order, each begins after the one before began,
 * together they hold every character that is not white space, and white space is trimmed at both ends.  Constant
 * memory, linear time. */
int chunk_next(struct chunk_walk *, struct chunk *);

#endif
