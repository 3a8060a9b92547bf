/* SPDX-License-Identifier: ISC
 * In which charset a text is written, and its decoding.  A byte order mark decides; then what somebody declared (a
 * mail's header, a web server, the text itself); else it is UTF-8 if it can be, and windows-1252 if not. */
#ifndef EXEDRA_EXTRACT_CHARSET_H
#define EXEDRA_EXTRACT_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include "extract/feed.h"

enum { CHARSET_NAME_BYTES = 48, CHARSET_HEAD_BYTES = 64 << 10 };

struct charset {
	char name[CHARSET_NAME_BYTES]; /* for iconv; "" = not known */
};

/* What a text could be in.  `declared` may be NULL or anything; with `markup` the text is asked too: <meta charset> and
 * the XML declaration. */
struct charset charset_guess(const char *head, size_t len, const char *declared, bool markup);
/* The same for the whole of descriptor 0, which must be a file.  Reads all of it. */
struct charset charset_of_input(const char *declared, bool markup);
/* The charset in a Content-Type, or NULL. */
const char *charset_of_type(struct arena *, const char *type);

/* iconv loads a module for each charset; none can be loaded in the sandbox.  One by name, or all that mails are sent
 * in. */
void charset_preload(const char *name);
void charset_preload_many(void);

/* The text as UTF-8 without its byte order mark; characters that cannot be decoded become U+FFFD.  One that iconv does
 * not know is taken for windows-1252. */
struct feed *charset_feed(struct arena *, struct feed *raw, struct charset);
/* charset_guess() and charset_feed() in one, for a member or part.  Fit for libxml2: valid, no NUL, and other control
 * characters than tab and the ends of lines are spaces. */
struct feed *charset_markup(struct arena *, struct feed *raw, const char *declared);
/* The last step of that alone. */
struct feed *charset_fit_for_markup(struct arena *, struct feed *utf8);

#endif
