/* SPDX-License-Identifier: ISC
 * Files as Open WebUI's API shows them: objects whose text may be long, and is sent part by part. */
#ifndef EXEDRA_OPENWEBUI_FILE_H
#define EXEDRA_OPENWEBUI_FILE_H

#include <libpq-fe.h>

#include "api/openwebui/query.h"
#include "web/request.h"

#define OPENWEBUI_NOT_FOUND "We could not find what you're looking for :/"

bool openwebui_is_uuid(const char *text);
/* A file by its uuid (sql/file/show.sql); NULL with file_unknown in the task. */
PGresult *openwebui_find_file(struct request *, const char *uuid);
/* A 400: nothing has been read in it.  Returns -1. */
int openwebui_unread(struct request *);
/* The object of a row with id, head, tail and readable: whole, `more` members (each with its comma before) at its end.
 */
void openwebui_put_file(struct request *, PGresult *rows, int row, bool with_text, const char *more);
/* Send a piece of an answer whose head has left. */
void openwebui_put(struct request *, const char *text);
/* The same of the texts that were read in a file (its id), joined by a space, as the inside of a JSON string. */
void openwebui_put_text(struct request *, const char *file_id);
/* Give a file (a row of openwebui_find_file) another text: its first document; what else was read in it stays.  -1 with
 * the reason in the task: 404 when the caller may not. */
int openwebui_replace_text(struct request *, PGresult *file, const char *text);
/* Put a file that was read, or will be, into a workspace by its id.  -1 with the reason in the task, a 400 for what is
 * there already or is no file. */
int openwebui_knowledge_put(struct request *, const char *workspace_id, const char *uuid);
/* Wait until a pending file (its id) has been read, or could not be.  -1 with a 503 when that takes too long. */
int openwebui_wait(struct request *, const char *file_id);

#endif
