/* SPDX-License-Identifier: ISC
 * libxml2 compares each attribute of an element with all before it: 100,000 take longer than anybody waits. */
#ifndef EXEDRA_EXTRACT_ATTRIBUTES_H
#define EXEDRA_EXTRACT_ATTRIBUTES_H

#include <stdbool.h>

#include "extract/feed.h"

/* A feed of mark-up in UTF-8, on its way to libxml2, that refuses an element with too many. */
struct feed *attributes_guard(struct arena *, struct feed *, bool html);

#endif
