/* SPDX-License-Identifier: ISC
 * Files as Open WebUI's API shows them: objects whose text may be long, and is sent part by part. */
#ifndef EXEDRA_OPENWEBUI_FILE_H
#define EXEDRA_OPENWEBUI_FILE_H

#include <libpq-fe.h>

#include "web/request.h"

#define OPENWEBUI_NOT_FOUND "We could not find what you're looking for :/"

/* A file by its uuid (sql/file/show.sql); NULL with file_unknown in the task. */
PGresult *openwebui_find_file(struct request *, const char *uuid);
/* The object of a row with id, head, tail and readable: whole, `more` members (each with its comma before) at its end.
 */
void openwebui_put_file(struct request *, PGresult *rows, int row, bool with_text, const char *more);
/* Send a piece of an answer whose head has left. */
void openwebui_put(struct request *, const char *text);
/* The query parameter `query` or `filename` as a pattern: *x?y is x between anything, one character, y; NULL stays
 * NULL. `inside`: anything may stand around it. */
const char *openwebui_pattern(struct arena *, const char *wildcard, bool inside);
/* page=N, from 1, of 30: what to pass over. */
int64_t openwebui_page(struct request *);

enum { OPENWEBUI_PAGE = 30 };

#endif
