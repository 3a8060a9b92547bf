/* SPDX-License-Identifier: ISC
 * Answers.  All return 0 (a handler can return them); a client that has gone is no failure of the handler. */
#ifndef EXEDRA_REPLY_H
#define EXEDRA_REPLY_H

#include "web/request.h"

/* One whole answer. */
int reply_json(struct request *, int status, const char *json, size_t len);
int reply_json_text(struct request *, int status, const char *json);
int reply_json_printf(struct request *, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* text/plain. */
int reply_text(struct request *, int status, const char *text);
/* Status and headers only. */
int reply_empty(struct request *, int status);
/* The bare reason phrase as text/plain, as AnythingLLM's status-only answers have it: "OK", "Bad Request". */
int reply_reason(struct request *, int status);

/* The head of an answer whose body follows by wire_write().  `length` < 0: not known. */
void reply_head(struct request *, int status, const char *type, int64_t length, const char *more_headers);
/* What dispatch answers to OPTIONS. */
int reply_preflight(struct request *, int allowed_methods);

/* "OPTIONS, GET, POST" for methods or-ed; the text belongs to the arena. */
const char *reply_method_list(struct arena *, int methods);

#endif
