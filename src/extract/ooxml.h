/* SPDX-License-Identifier: ISC
 * What docx, pptx and xlsx have in common: relationships between parts, and the properties of the document. */
#ifndef EXEDRA_EXTRACT_OOXML_H
#define EXEDRA_EXTRACT_OOXML_H

#include "base/arena.h"
#include "extract/sax.h"

struct relation {
	const char *id;
	const char *type;   /* the end of its URI: "slide", "notesSlide", "worksheet" */
	const char *target; /* the name of a member; NULL when it is outside */
	struct relation *next;
};

/* Those of a part; those of the archive itself for "". */
struct relation *ooxml_relations(struct arena *, const char *part);
/* The member that an id stands for, or that is the first of a type; NULL when there is none. */
const char *ooxml_by_id(const struct relation *, const char *id);
const char *ooxml_by_type(const struct relation *, const char *type);
/* The main part of the document, which must be there.  Its title, author and the like are noted on the way. */
const char *ooxml_begin(struct arena *);

#endif
