/* SPDX-License-Identifier: ISC
 * Growing text.  It belongs to an arena, is always NUL-terminated, and may hold any bytes. */
#ifndef EXEDRA_STR_H
#define EXEDRA_STR_H

#include "base/arena.h"

struct str {
	char *at; /* the text; valid until the next append */
	size_t len;
	size_t room;
	struct arena *arena;
};

/* An empty text.  Appending never fails: without memory the arena's work ends (arena_escape). */
struct str *str_new(struct arena *);
void str_add(struct str *, const char *bytes, size_t len);
void str_puts(struct str *, const char *);
void str_putc(struct str *, char);
void str_printf(struct str *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Forget the text, keep the room. */
void str_clear(struct str *);

/* Append as a JSON string with its quotes.  The bytes must be valid UTF-8; escapes only what JSON demands,
 * so one text has one form here and in PostgreSQL's row_to_json(). */
void str_json(struct str *, const char *bytes, size_t len);
/* The same for a C string; NULL becomes null. */
void str_json_text(struct str *, const char *);
/* Append a member of an object, or what else stands `before` a string: ,"name": */
void str_json_member(struct str *, const char *before, const char *text);
/* Append a finite number in its shortest form that reads back the same; anything else becomes null. */
void str_json_number(struct str *, double);

#endif
