/* SPDX-License-Identifier: ISC
 * Bytes that come a piece at a time: from the file, a member of an archive, a part of a mail, a decoder. */
#ifndef EXEDRA_EXTRACT_FEED_H
#define EXEDRA_EXTRACT_FEED_H

#include <stddef.h>

#include "base/arena.h"

/* The first member of what each kind of feed really is. */
struct feed {
	/* Up to `room` bytes, 0 at the end.  What goes wrong is refused there: it has no way to fail. */
	size_t (*read)(struct feed *, char *to, size_t room);
};

/* Descriptor 0, from its beginning if it can be sought. */
struct feed *feed_input(struct arena *);
/* The first `room` bytes of a feed, or all there are, without taking them from it: *feed becomes another that begins
 * with them. */
size_t feed_peek(struct arena *, struct feed **feed, char *to, size_t room);
/* Read to the end, or until the room is full. */
size_t feed_fill(struct feed *, char *to, size_t room);

#endif
