/* SPDX-License-Identifier: ISC
 * JSON from strangers, as json-c's objects.  json-c's parser accepts too much (single-quoted keys, invalid UTF-8,
 * capped integers, embedded NUL): this one makes the objects of what it has checked. */
#ifndef EXEDRA_JSON_H
#define EXEDRA_JSON_H

#include <json-c/json.h>

#include "base/task.h"

enum {
	JSON_MAX_DEPTH = 32,    /* arrays and objects inside each other */
	JSON_MAX_KEYS = 10000,  /* members of one object */
	JSON_MOST_KEYS = 50000, /* over the whole text: 128 tools whose 25 parameters are described have 15,000 */
	JSON_MAX_NUMBER = 400,  /* characters of a number: DBL_MIN written out has 330 */
};

struct json_fault {
	const char *code; /* json_syntax, json_utf8, json_depth, json_keys, json_number, json_nul, json_duplicate_key */
	size_t at;        /* offset in bytes */
	char what[120];   /* a sentence without its full stop: "unexpected character" */
};

/* Is it exactly one JSON value (RFC 8259, UTF-8) within the limits?  Refuses besides: escapes that make a NUL
 * or a lone surrogate, integers (no fraction, no exponent) outside int64, numbers that no double holds, two equal keys
 * in one object (compared unescaped), and more containers or values than memory is good for (json_keys).  White space
 * may surround it.  Returns 0, or -1 with *fault filled. */
int json_check(struct arena *, const char *text, size_t len, struct json_fault *fault);

/* Check, then parse.  The object belongs to the task's arena.  On failure NULL, with a 400 in the task whose
 * message says what was wrong and at which byte.  A text that is just `null` fails too (json_null): json-c has no
 * object for it. */
struct json_object *json_read(struct task *, const char *text, size_t len);
/* Parse what we have made or stored ourselves, and so checked before: without the limits, but for twice the depth.  The
 * object belongs to the arena; NULL for null, and for what is no JSON after all (rows can be written by hand). */
struct json_object *json_ours(struct arena *, const char *text);

/* Give an object just made to the arena; returns it.  NULL, when json-c had no memory, ends the task's work there. */
struct json_object *json_keep(struct arena *, struct json_object *);
/* A member of this type; NULL when there is none, or `object` is no object. */
struct json_object *json_member(struct json_object *object, const char *name, enum json_type);
/* As compact text, slashes as they are; the arena's. */
const char *json_text(struct arena *, struct json_object *);

#endif
