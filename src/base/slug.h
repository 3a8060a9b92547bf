/* SPDX-License-Identifier: ISC
 * Names made fit for URLs and file names the way AnythingLLM makes them (contract/anythingllm.md section 3). */
#ifndef EXEDRA_SLUG_H
#define EXEDRA_SLUG_H

#include "base/arena.h"

enum slug_kind {
	SLUG_WORKSPACE, /* lower-cased; may be empty: the caller then takes a uuid */
	SLUG_THREAD,    /* case kept */
	SLUG_FILE,      /* the plain library form: case and . ( ) ' " ! @ + ~ * _ - kept, then the characters that
			   file systems refuse taken out */
};

/* `name` must be valid UTF-8.  The result belongs to the arena. */
char *slug_make(struct arena *, enum slug_kind, const char *name);

#endif
