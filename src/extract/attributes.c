/* SPDX-License-Identifier: ISC */
#include "extract/attributes.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "extract/job.h"

enum { MAX_ATTRIBUTES = 10000 }; /* 0.3 s */

enum state {
	TEXT,
	OPENED, /* behind a < */
	MARKED, /* behind <!, as long as it may become a comment or a section */
	NAME,
	GAP,  /* in a tag, where an attribute may begin */
	WORD, /* in an attribute's name, or in a value without quotes */
	EQUALS,
	QUOTED,
	OTHER, /* an end tag, a declaration: nothing is compared there */
	COMMENT,
	SECTION, /* of character data */
	RAW,     /* a script: up to the next end tag */
};

struct guard {
	struct feed feed, *from;
	bool html;
	enum state state;
	char quote;
	char name[8]; /* the beginning of an element's */
	size_t name_len;
	int n_attributes;
	uint32_t last; /* the last four bytes */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static bool may_begin_name(char c)
{
	return isalpha((unsigned char)c) || c == '_' || c == ':' || (unsigned char)c >= 0x80;
}

static enum state open_name(struct guard *guard, char c)
{
	guard->name[0] = c;
	guard->name_len = 1;
	guard->n_attributes = 0;
	return NAME;
}

static void add_to_name(struct guard *guard, char c)
{
	if (guard->name_len < sizeof(guard->name))
		guard->name[guard->name_len++] = c;
}

static bool is_named(const struct guard *guard, const char *name)
{
	return strlen(name) == guard->name_len && strncasecmp(guard->name, name, guard->name_len) == 0;
}

static enum state behind_tag(const struct guard *guard)
{
	return guard->html && (is_named(guard, "script") || is_named(guard, "style")) ? RAW : TEXT;
}

static enum state begin_attribute(struct guard *guard)
{
	if (++guard->n_attributes > MAX_ATTRIBUTES)
		refuse(FILE_BROKEN, "An element of it has more than %d attributes.", MAX_ATTRIBUTES);
	return WORD;
}

/* Inside a tag. */
static enum state in_tag(struct guard *guard, char c)
{
	if (guard->state == QUOTED)
		return c == guard->quote ? GAP : QUOTED;
	if (c == '>')
		return behind_tag(guard);
	if (c == '=')
		return EQUALS;
	if (is_blank(c))
		return guard->state == EQUALS ? EQUALS : GAP;
	if (guard->state == EQUALS && (c == '"' || c == '\'')) {
		guard->quote = c;
		return QUOTED;
	}
	if (guard->state == GAP && c != '/')
		return begin_attribute(guard);
	return guard->state == GAP ? GAP : WORD;
}

/* The four bytes of a word, as they stand in guard->last. */
#define BYTES(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static enum state in_mark(const struct guard *guard, char c)
{
	if (guard->last == BYTES('<', '!', '-', '-'))
		return COMMENT;
	if (!guard->html && guard->last == BYTES('<', '!', '[', 'C'))
		return SECTION;
	if (c == '>')
		return TEXT;
	return c == '-' || c == '[' ? MARKED : OTHER;
}

static enum state step(struct guard *guard, char c)
{
	switch (guard->state) {
	case TEXT:
		return c == '<' ? OPENED : TEXT;
	case OPENED:
		if (may_begin_name(c))
			return open_name(guard, c);
		return c == '!' ? MARKED : c == '/' || c == '?' ? OTHER : c == '<' ? OPENED : TEXT;
	case MARKED:
		return in_mark(guard, c);
	case NAME:
		if (is_blank(c) || c == '/')
			return GAP;
		if (c == '>')
			return behind_tag(guard);
		add_to_name(guard, c);
		return NAME;
	case GAP:
	case WORD:
	case EQUALS:
	case QUOTED:
		return in_tag(guard, c);
	case OTHER:
		return c == '>' ? TEXT : OTHER;
	case COMMENT:
		return (guard->last & 0xffffff) == BYTES(0, '-', '-', '>') ? TEXT : COMMENT;
	case SECTION:
		return (guard->last & 0xffffff) == BYTES(0, ']', ']', '>') ? TEXT : SECTION;
	case RAW:
		return (guard->last & 0xffff00) == BYTES(0, '<', '/', 0) && isalpha((unsigned char)c) ? OTHER : RAW;
	}
	return TEXT;
}

static size_t read_guarded(struct feed *feed, char *to, size_t room)
{
	struct guard *guard = (struct guard *)feed;
	size_t n = guard->from->read(guard->from, to, room), i;

	for (i = 0; i < n; i++) {
		/* Most of a page is text. */
		if (guard->state == TEXT && to[i] != '<')
			continue;
		guard->last = guard->last << 8 | (unsigned char)to[i];
		guard->state = step(guard, to[i]);
	}
	return n;
}

struct feed *attributes_guard(struct arena *arena, struct feed *from, bool html)
{
	struct guard *guard = arena_get(arena, sizeof(*guard));

	*guard = (struct guard){.feed.read = read_guarded, .from = from, .html = html, .state = TEXT};
	return &guard->feed;
}
