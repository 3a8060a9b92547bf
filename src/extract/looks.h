/* SPDX-License-Identifier: ISC
 * What the first bytes of a file look like, where libmagic says nothing or too much. */
#ifndef EXEDRA_EXTRACT_LOOKS_H
#define EXEDRA_EXTRACT_LOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool looks_zip(const char *head, size_t len);
/* An OLE compound file. */
bool looks_compound(const char *head, size_t len);
/* The mark of a PDF stands within the first 1,024 bytes, where every reader accepts it. */
bool looks_pdf(const char *head, size_t len);
/* If it is text, it is one about PDFs: words stand before the mark in its line. */
bool looks_of_pdf(const char *head, size_t len);
/* Begins as an HTML page does, or as XML whose root is one. */
bool looks_html(const char *head, size_t len);
/* Begins with an XML declaration; with a tag. */
bool looks_declared_xml(const char *head, size_t len);
bool looks_xml(const char *head, size_t len);
/* The line that begins a mail in a box, and a header after it. */
bool looks_mbox(const char *head, size_t len);
/* Characters, in whatever charset, and hardly anything else. */
bool looks_text(const char *head, size_t len);
/* Text of this MIME type is for people to read, more or less: not a program for a printer, nor what is encrypted. */
bool looks_readable(const char *mime, const char *head, size_t len);
/* The greatest size in pixels that a description by libmagic names; 0 = none. */
uint64_t looks_pixels(const char *description);

#endif
