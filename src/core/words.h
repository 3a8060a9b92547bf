/* SPDX-License-Identifier: ISC
 * Text made ready for PostgreSQL's to_tsvector(): languages that write no spaces are cut into pairs. */
#ifndef EXEDRA_WORDS_H
#define EXEDRA_WORDS_H

#include "base/str.h"

/* Append `text` (valid UTF-8) for indexing or asking.  A run of Han, Hiragana, Katakana, Thai, Lao, Khmer or
 * Myanmar characters becomes its overlapping pairs, a space before each and one behind the last (a run of one
 * stays one); all else stays as it is, Hangul too, which is written with spaces. */
void words_prepare(struct str *out, const char *text, size_t len);

#endif
