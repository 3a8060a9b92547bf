/* SPDX-License-Identifier: ISC
 * UTF-8 as Unicode defines it: shortest forms only, no surrogates, nothing above U+10FFFF. */
#ifndef EXEDRA_UTF8_H
#define EXEDRA_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Bytes of the valid character at `at` (1..4) with its code point in *code, or 0 when the bytes there are
 * no valid character (or `len` is 0). */
int utf8_read(const char *at, size_t len, uint32_t *code);
/* Append a code point (valid, not a surrogate). */
void utf8_put(struct str *, uint32_t code);
bool utf8_valid(const char *at, size_t len);
/* The longest prefix of at most `max` bytes that does not cut a character. */
size_t utf8_cut(const char *at, size_t len, size_t max);

/* Text that arrives in pieces from a provider: bytes that are no UTF-8 become U+FFFD, NUL is dropped, a
 * character split between two pieces is put together.  Zero it to begin. */
struct utf8_stream {
	char held[4];
	int n_held;
};
/* Append the clean form of a piece.  With `last`, an unfinished character becomes U+FFFD too. */
void utf8_clean(struct utf8_stream *, const char *piece, size_t len, bool last, struct str *out);

#endif
