/* SPDX-License-Identifier: ISC
 * A piece of an answer as AnythingLLM streams it, to API clients and to its widget. */
#ifndef EXEDRA_ANYTHINGLLM_CHUNK_H
#define EXEDRA_ANYTHINGLLM_CHUNK_H

#include "base/str.h"
#include "web/stream.h"

/* Send it; `event` is room that is used again.  -1 when nobody reads any more. */
int chunk_send(struct stream *, struct str *event, const char *uuid, const char *text, size_t len, bool close);

#endif
