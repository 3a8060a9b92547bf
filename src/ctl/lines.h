/* SPDX-License-Identifier: ISC
 * Lines of a file that is not trusted: bounded, counted, hashed. */
#ifndef EXEDRA_CTL_LINES_H
#define EXEDRA_CTL_LINES_H

#include <stdio.h>

#include "store/secret.h"

struct lines {
	FILE *from;
	size_t most;  /* bytes of a line */
	long long no; /* of the line that was read last, from 1 */
	char *at;     /* it, without its line feed, with a NUL behind it; valid until the next one */
	size_t len, room;
	struct secret_hash hash; /* of all that lines_keep() was told of */
};

/* Zero it, set `from` and `most`, then begin. */
void lines_begin(struct lines *);
void lines_end(struct lines *);
/* Read a line.  1; 0 at the end; -1 when it is too long, is not ended, cannot be read or there is no memory, and that
 * is told. */
int lines_next(struct lines *);
/* Add the line that was read last to the hash. */
void lines_keep(struct lines *);

#endif
