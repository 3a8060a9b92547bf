/* SPDX-License-Identifier: ISC
 * JSON of providers, made fit for json_read(), which is strict: what a model says must not be lost for one bad byte. */
#ifndef EXEDRA_LENIENT_H
#define EXEDRA_LENIENT_H

#include "base/str.h"

/* Append the text without a byte order mark, with bytes that are no UTF-8 as U+FFFD, escaped NULs left out, escaped
 * halves of a surrogate pair as U+FFFD, and whole numbers of more than 18 digits as fractions (no count is meant to be
 * that large).  Whatever else is wrong stays wrong. */
void lenient_clean(struct str *out, const char *text, size_t len);

#endif
