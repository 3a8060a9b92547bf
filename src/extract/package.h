/* SPDX-License-Identifier: ISC
 * A document that is a zip archive: its members by name, unpacked as they are read.  Nothing is written anywhere, so a
 * member's name is no path to anything; and no member is unpacked inside another.  A name that stands twice, a member
 * that unpacks to absurd lengths, and one that needs a password are refused. */
#ifndef EXEDRA_EXTRACT_PACKAGE_H
#define EXEDRA_EXTRACT_PACKAGE_H

#include <stdbool.h>

#include "extract/feed.h"

/* Open the archive on descriptor 0, once in a process. */
void package_open(void);
bool package_has(const char *name);
/* A member, or NULL when there is none of the name.  The feed lives as long as the arena. */
struct feed *package_member(struct arena *, const char *name);
/* The same; without it the document is broken. */
struct feed *package_part(struct arena *, const char *name);
/* The name that a reference in a member means, "../media/x" in "ppt/slides/slide1.xml"; percent escapes are
 * decoded, a "#fragment" falls.  NULL if it leads out of the archive. */
const char *package_resolve(struct arena *, const char *base, const char *reference);

#endif
