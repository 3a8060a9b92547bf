/* SPDX-License-Identifier: ISC
 * How often something has happened in this minute, by name: in a fixed piece of memory that master and workers share.
 * It forgets when too many names come: what has happened least often first. */
#ifndef EXEDRA_TALLY_H
#define EXEDRA_TALLY_H

#include <stddef.h>

/* In the master, before the first fork, and after libsodium was started.  -1 without memory.  Where it was not called,
 * as in CGI, nothing is counted. */
int tally_open(void);
/* It has happened once more; the name is any bytes. */
void tally_add(const char *name, size_t len);
/* How often it has happened since the minute began; a few more may be under way. */
int tally_count(const char *name, size_t len);
/* In how many seconds the next minute begins; at least 1. */
int tally_left_s(void);

#endif
