/* SPDX-License-Identifier: ISC
 * What a file is: by its content, with libmagic; by the list of its members, if it is a zip archive; and only for the
 * kinds that are all plain text to look at, by its name or by what somebody says it is. */
#ifndef EXEDRA_EXTRACT_KIND_H
#define EXEDRA_EXTRACT_KIND_H

#include <stdbool.h>

struct kind {
	const char *mime;
	const char *extensions; /* with dots, spaces between */
	void (*prepare)(void);  /* before the sandbox is shut; NULL: nothing */
	void (*read)(void);     /* NULL: recognised, but not read here */
	const char *tool;       /* a program that has to read the file first; NULL: none */
	void (*filter)(void);   /* and what has to be done to the file before that; NULL: nothing */
	bool text;              /* the charset matters */
	bool markup;            /* and the text may say which it is */
};

extern const struct kind kinds[];
extern const int n_kinds;

/* The work of the first sealed process: leaves kind, MIME type and charset in the finding. */
void kind_find(void);
/* The name ends with one of these extensions, in any case. */
bool kind_named(const char *name, const char *extensions);

#endif
