/* SPDX-License-Identifier: ISC
 * What OpenDocument's texts, presentations and sheets have in common. */
#ifndef EXEDRA_EXTRACT_ODF_H
#define EXEDRA_EXTRACT_ODF_H

#include <stdbool.h>

#include "extract/sax.h"

/* Open the archive, refuse an encrypted one, and note title, author and the like. */
void odf_begin(void);
/* Read the content. */
void odf_content(const struct sax *, void *context);
/* Elements whose text is no part of the document: deleted text, remarks, descriptions of pictures. */
bool odf_skips(const struct element *);

#endif
