/* SPDX-License-Identifier: ISC
 * XML as a sequence of beginnings, ends and texts, read by libxml2 without a tree, so that its length costs no memory.
 * Names are without their prefix: hardly ever two vocabularies in one kind of document clash in what is looked for.
 * A document that declares entities is refused, whatever it does with them; external ones are never loaded. */
#ifndef EXEDRA_EXTRACT_SAX_H
#define EXEDRA_EXTRACT_SAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "extract/feed.h"

struct element {
	const char *name;
	const char *vocabulary; /* its namespace; NULL: none */
	const void *attributes; /* of libxml2 */
	int n_attributes;
	bool *passed_over;
};

/* What is called; any may be NULL.  `context` is passed through. */
struct sax {
	void (*begin)(void *context, const struct element *);
	void (*end)(void *context, const char *name);
	void (*text)(void *context, const char *, size_t);
};

/* Once, before the sandbox is shut. */
void sax_prepare(void);
/* Read a document of any charset to its end. */
void sax_read(struct feed *, const struct sax *, void *context);
/* From begin() only: nothing more is told of this element and of all that is in it, not even its end. */
void sax_pass_over(const struct element *);
/* Copies the value of an attribute, cut to the room; false (and "") when there is none.  A name that begins with ":" is
 * one with a prefix, where there is another without. */
bool sax_attribute(const struct element *, const char *name, char *to, size_t room);
/* A number in an attribute, or `otherwise` when there is none. */
int64_t sax_number(const struct element *, const char *name, int64_t otherwise);
/* The attribute is there and says yes: "1", "true" or "on". */
bool sax_true(const struct element *, const char *name);

#endif
