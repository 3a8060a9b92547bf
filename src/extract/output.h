/* SPDX-License-Identifier: ISC
 * What the program prints: a line of JSON with what is known of the file, then its text.  The line waits until 64 KiB
 * of text are there, so that a title may still be found.  Text comes out as UTF-8 whatever went in: what is none
 * becomes U+FFFD, ends of lines become \n, a form feed or vertical tab a line's end, all other control characters go.
 */
#ifndef EXEDRA_EXTRACT_OUTPUT_H
#define EXEDRA_EXTRACT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum meta { META_TITLE, META_AUTHOR, META_DESCRIPTION, META_PUBLISHED, META_LANGUAGE, N_META };

/* Of a sheet, a mail; NULL = not known. */
struct part {
	const char *title, *author, *published;
};

/* Before anything else; prints to descriptor 1. */
void output_begin(const char *mime);
/* A line of metadata.  Blank values are passed over; the first one stays; one that comes after the line is lost. */
void output_meta(enum meta, const char *value, size_t len);
void output_meta_text(enum meta, const char *value); /* NULL: nothing */
void output_pages(long pages);
/* A sheet or mail begins.  Tells so if the caller asked for parts, and parts it by a blank line if not. */
void output_part(const struct part *);
/* More text, any bytes; a character may be cut between two calls. */
void output_text(const char *, size_t);
void output_puts(const char *);
/* Something else than white space has come. */
bool output_any(void);
/* Everything is out; the last line ends.  Refuses a file in which there was nothing but white space. */
void output_end(void);
/* The same of a text that is as it came: its last line may have no end. */
void output_end_as_is(void);
/* Memory for the whole of the work. */
struct arena *output_arena(void);

#endif
