/* SPDX-License-Identifier: ISC
 * Running text of marked-up documents: white space is one space, and paragraphs, list items, rows and cells are parted
 * as a reader of plain text expects it, however many elements begin and end between two words.  What parts waits until
 * the next word, so nothing is parted from nothing. */
#ifndef EXEDRA_EXTRACT_FLOW_H
#define EXEDRA_EXTRACT_FLOW_H

#include <stddef.h>

/* UTF-8. */
void flow_text(const char *, size_t);
/* Preformatted: white space stays, but for line ends at its end. */
void flow_verbatim(const char *, size_t);
/* Before the next word: 1 = a new line, 2 = a blank line.  The greatest wish counts. */
void flow_break(int lines);
/* A space at least. */
void flow_space(void);
/* A new line now, even if another follows. */
void flow_newline(void);
/* The next word begins a list's item. */
void flow_item(void);
/* Cells of a row are parted by tabs.  Paragraphs inside a cell are parted by lines, its first and last by nothing. */
void flow_cell_begin(void);
void flow_cell_end(void);
void flow_row_end(void);
/* What comes stands in a new document: nothing waits. */
void flow_reset(void);

#endif
