/* SPDX-License-Identifier: ISC
 * A service that has let a question wait in vain would do so with every other: for a while this process does not ask
 * it. */
#ifndef EXEDRA_SHUN_H
#define EXEDRA_SHUN_H

#include <stdbool.h>

/* By its address and model. */
bool shun_is(const char *url, const char *model);
void shun_add(const char *url, const char *model);

#endif
