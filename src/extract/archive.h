/* SPDX-License-Identifier: ISC
 * What kind of document a zip archive is: by its member `mimetype`, or by [Content_Types].xml. */
#ifndef EXEDRA_EXTRACT_ARCHIVE_H
#define EXEDRA_EXTRACT_ARCHIVE_H

/* A MIME type of kinds[].  Refuses what is no document, or no archive that can be read. */
const char *archive_mime(void);

#endif
