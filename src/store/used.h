/* SPDX-License-Identifier: ISC
 * When keys were last used: gathered in memory and written once a minute, so that no request waits for a row that other
 * requests of the same key write. */
#ifndef EXEDRA_USED_H
#define EXEDRA_USED_H

/* A key (its sha256) has opened something.  What there is no memory for is forgotten. */
void used_note(const unsigned char hash[32]);
/* Once a second: write what has been gathered, once a minute. */
void used_tick(void);
/* Write it now: before the process ends. */
void used_flush(void);

#endif
