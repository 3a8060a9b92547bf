/* SPDX-License-Identifier: ISC
 * HTML and XHTML as running text: what a browser would show, headings and paragraphs parted by blank lines, cells by
 * tabs. Scripts, styles, drawings and what stands in for them go.  Nothing that a page refers to is fetched. */
#ifndef EXEDRA_EXTRACT_MARKUP_H
#define EXEDRA_EXTRACT_MARKUP_H

#include "extract/feed.h"

/* A page from a feed that is fit for it (charset.h).  Its title, author, description and language are noted. */
void markup_read(struct feed *);

#endif
