/* SPDX-License-Identifier: ISC
 * Programs of others that read a kind of file for us: unrtf, tesseract.  Found in PATH, run shut in. */
#ifndef EXEDRA_EXTRACT_TOOL_H
#define EXEDRA_EXTRACT_TOOL_H

#include <stdbool.h>

#include "extract/kind.h"

/* Look for the kind's program; false when it is not installed. */
bool tool_find(const struct kind *);
/* The work of its process: shuts itself in and becomes the program that was found.  It reads descriptor 0 and prints
 * to 1. */
void tool_run(void);

#endif
