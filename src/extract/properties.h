/* SPDX-License-Identifier: ISC
 * Properties of a document that stand in XML as the texts of elements: docProps/core.xml, meta.xml, a book's package.
 */
#ifndef EXEDRA_EXTRACT_PROPERTIES_H
#define EXEDRA_EXTRACT_PROPERTIES_H

#include "extract/output.h"

struct property {
	const char *element;
	enum meta meta;
};

/* Note what a member of the archive says; nothing when it is not there.  The list ends with NULL. */
void properties_read(const char *member, const struct property *);

#endif
