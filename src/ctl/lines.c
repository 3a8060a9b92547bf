/* SPDX-License-Identifier: ISC */
#include "ctl/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void lines_begin(struct lines *lines)
{
	secret_hash_begin(&lines->hash);
}

void lines_end(struct lines *lines)
{
	free(lines->at);
}

static int refuse(const struct lines *lines, const char *why)
{
	fprintf(stderr, "exedractl: Line %lld: %s.\n", lines->no, why);
	return -1;
}

/* Room for one byte more and a NUL. */
static int grow(struct lines *lines)
{
	size_t room = lines->room < 4096 ? 4096 : lines->room * 2;
	char *bigger;

	if (lines->len + 1 < lines->room)
		return 0;
	if ((bigger = realloc(lines->at, room)) == NULL)
		return refuse(lines, "there is not memory enough for it");
	lines->at = bigger;
	lines->room = room;
	return 0;
}

int lines_next(struct lines *lines)
{
	int c;

	lines->len = 0;
	lines->no++;
	if (grow(lines) < 0)
		return -1;
	while ((c = getc_unlocked(lines->from)) != EOF && c != '\n') {
		if (lines->len == lines->most)
			return refuse(lines, "it is longer than a line can be");
		if (grow(lines) < 0)
			return -1;
		lines->at[lines->len++] = (char)c;
	}
	lines->at[lines->len] = '\0';
	if (ferror(lines->from))
		return refuse(lines, strerror(errno));
	if (c == EOF && lines->len > 0)
		return refuse(lines, "the file ends in the middle of it");
	return c == EOF ? 0 : 1;
}

void lines_keep(struct lines *lines)
{
	secret_hash_add(&lines->hash, lines->at, lines->len);
	secret_hash_add(&lines->hash, "\n", 1);
}
