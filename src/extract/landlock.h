/* SPDX-License-Identifier: ISC
 * Landlock: of all files only some can be reached.  Kernels before 5.13 have none, and some are built without. */
#ifndef EXEDRA_EXTRACT_LANDLOCK_H
#define EXEDRA_EXTRACT_LANDLOCK_H

#include <stdbool.h>

/* From now on this process, and what it executes, reads and executes files below these directories (or just these
 * files) and none else, and changes nothing anywhere.  Ones that are not there are passed over.  false: the kernel
 * cannot do it. */
bool landlock_seal(const char *const *trees);

#endif
