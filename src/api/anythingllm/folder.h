/* SPDX-License-Identifier: ISC
 * Names of folders and of the documents in them: labels, never paths. */
#ifndef EXEDRA_ANYTHINGLLM_FOLDER_H
#define EXEDRA_ANYTHINGLLM_FOLDER_H

#include <stdbool.h>

/* Where documents go that name no folder. */
#define FOLDER_PRESET "custom-documents"

/* One segment of 1 to 255 bytes: no slash of either kind, no control character, not only dots and spaces.  The text is
 * valid UTF-8. */
bool folder_name_valid(const char *name);

#endif
