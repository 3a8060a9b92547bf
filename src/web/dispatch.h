/* SPDX-License-Identifier: ISC
 * One request from its first byte to its last: find the row, do what it says, answer, log. */
#ifndef EXEDRA_DISPATCH_H
#define EXEDRA_DISPATCH_H

#include "base/config.h"
#include "web/wire.h"

/* How many streams this process may hold at the same time.  Set once, before the first request. */
void dispatch_limit_streams(int most);

/* Answer the request whose head stands in the wire.  The arena is emptied at the end. */
void dispatch(struct wire *, const struct config *, struct arena *);
/* Answer 503 at once: every thread is busy. */
void dispatch_busy(struct wire *, const struct config *, struct arena *);

#endif
