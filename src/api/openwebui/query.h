/* SPDX-License-Identifier: ISC
 * Query parameters in Open WebUI's words. */
#ifndef EXEDRA_OPENWEBUI_QUERY_H
#define EXEDRA_OPENWEBUI_QUERY_H

#include "web/request.h"

enum { OPENWEBUI_PAGE = 30 };

/* `query` or `filename` as a pattern: *x?y is x between anything, one character, y; NULL stays NULL.  `inside`:
 * anything may stand around it. */
const char *openwebui_pattern(struct arena *, const char *wildcard, bool inside);
/* true or false, as FastAPI reads it; left as it was when it is not there.  -1 with a 422 in the task. */
int openwebui_flag(struct request *, const char *name, bool *value);
/* A whole number, at most `most`; the preset when it is none. */
int64_t openwebui_number(struct request *, const char *name, int64_t preset, int64_t most);
/* page=N, from 1: what to pass over. */
int64_t openwebui_page(struct request *);

#endif
