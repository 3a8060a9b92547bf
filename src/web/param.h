/* SPDX-License-Identifier: ISC
 * Values of headers with their parameters: `form-data; name="file"; filename*=utf-8''a.txt` (RFC 9110 section 5.6.6).
 */
#ifndef EXEDRA_PARAM_H
#define EXEDRA_PARAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* A header's value while it is read. */
struct param_reader {
	const char *at, *end;
};

struct param {
	const char *name;
	size_t name_len;
};

/* The next `; name=value`, its value in `value`.  1; 0 at the end; -1 when it is none: the reader then stands there. */
int param_read(struct param_reader *, struct param *, struct str *value);
/* type/subtype, in lower case; -1 when it is none. */
int param_read_type(struct param_reader *, struct str *type);
/* How long the token is that the reader stands at. */
size_t param_token(const struct param_reader *);
void param_skip_space(struct param_reader *);
/* White space, and the line ends of a folded header: others are not in a value. */
bool param_is_space(char);
/* A letter, a digit, or one of these. */
bool param_is_plain(char, const char *marks);
/* In any case of letters. */
bool param_equals(const char *at, size_t len, const char *word);
/* The text in lower case replaces what is in `out`. */
void param_put_lower(struct str *out, const char *at, size_t len);
/* What a hexadecimal digit stands for; -1 when it is none. */
int param_hex(char);
/* RFC 8187: charset'language'percent-encoded, to UTF-8 or to what claims to be it.  -1 when it is not. */
int param_decode(const struct str *value, struct str *out);

#endif
