/* SPDX-License-Identifier: ISC
 * What must be true of a configuration besides each value by itself. */
#ifndef EXEDRA_SETUP_H
#define EXEDRA_SETUP_H

#include <stddef.h>

#include "base/config.h"

/* 0, or -1 with a sentence that names the setting. */
int setup_check(const struct config *, char *problem, size_t room);

#endif
