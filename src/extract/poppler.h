/* SPDX-License-Identifier: ISC
 * The little of poppler that is needed, for C.  Its C++ interface lays pages out as pdftotext does; the one for GLib
 * glues the last word of a column to the first of the next (0.22.12). */
#ifndef EXEDRA_EXTRACT_POPPLER_H
#define EXEDRA_EXTRACT_POPPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pdf;

/* Before the sandbox is shut: the tables of encodings are looked for once. */
void pdf_warm(void);
/* A document in memory, which must stay; NULL if it is none.  *locked: it needs a password. */
struct pdf *pdf_open(const char *bytes, int len, bool *locked);
/* Its table of objects was lost, and made anew from what could be found. */
bool pdf_was_mended(void);
/* Text was lost for want of poppler's tables of Chinese, Japanese and Korean encodings. */
bool pdf_lacked_tables(void);
int pdf_pages(const struct pdf *);
/* Text in UTF-8, for free(); NULL if there is no such page, or none could be read of it. */
char *pdf_text(const struct pdf *, int page, size_t *len);
/* "Title" and the like, for free(); NULL if it is not said. */
char *pdf_info(const struct pdf *, const char *key, size_t *len);
/* When it was made; (time_t)-1 if it is not said. */
time_t pdf_made_at(const struct pdf *);

#ifdef __cplusplus
}
#endif

#endif
