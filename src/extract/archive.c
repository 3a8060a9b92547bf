/* SPDX-License-Identifier: ISC */
#include "extract/archive.h"

#include <stdio.h>
#include <string.h>

#include "extract/job.h"
#include "extract/package.h"
#include "extract/sax.h"

/* Beginnings of what `mimetype` says, and what it is to us: templates are documents too. */
static const char *const named[][2] = {
	{"application/epub+zip", "application/epub+zip"},
	{"application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"},
	{"application/vnd.oasis.opendocument.presentation", "application/vnd.oasis.opendocument.presentation"},
	{"application/vnd.oasis.opendocument.spreadsheet", "application/vnd.oasis.opendocument.spreadsheet"},
};

#define OOXML "application/vnd.openxmlformats-officedocument."
static const char *const typed[][2] = {
	{OOXML "wordprocessingml.", OOXML "wordprocessingml.document"},
	{"application/vnd.ms-word.", OOXML "wordprocessingml.document"},
	{OOXML "presentationml.", OOXML "presentationml.presentation"},
	{"application/vnd.ms-powerpoint.", OOXML "presentationml.presentation"},
	{OOXML "spreadsheetml.", OOXML "spreadsheetml.sheet"},
	{"application/vnd.ms-excel.sheet.macroEnabled.", OOXML "spreadsheetml.sheet"},
	{"application/vnd.ms-excel.template.macroEnabled.", OOXML "spreadsheetml.sheet"},
};

static const char *find(const char *const (*table)[2], size_t n, const char *type)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(type, table[i][0], strlen(table[i][0])) == 0)
			return table[i][1];
	return NULL;
}

/* Only the type of the main part ends so: styles, slides and sheets have others. */
static bool is_main(const char *type)
{
	const char *end = strstr(type, ".main+xml");

	return end != NULL && strcmp(end, ".main+xml") == 0;
}

static void note_type(void *context, const struct element *element)
{
	const char **found = context;
	char type[256];

	if (*found == NULL && sax_attribute(element, "ContentType", type, sizeof(type)) && is_main(type))
		*found = find(typed, sizeof(typed) / sizeof(typed[0]), type);
}

static const char *find_typed(struct feed *feed)
{
	static const struct sax sax = {.begin = note_type};
	const char *found = NULL;

	sax_read(feed, &sax, &found);
	return found;
}

const char *archive_mime(void)
{
	struct arena *arena = job_arena();
	struct feed *feed;
	const char *mime = NULL;
	char type[128];

	package_open();
	feed = package_member(arena, "mimetype");
	if (feed != NULL) {
		type[feed_fill(feed, type, sizeof(type) - 1)] = '\0';
		mime = find(named, sizeof(named) / sizeof(named[0]), type);
	}
	feed = mime == NULL ? package_member(arena, "[Content_Types].xml") : NULL;
	if (feed != NULL)
		mime = find_typed(feed);
	if (mime == NULL)
		refuse(FILE_UNKNOWN_KIND, "It is an archive, not a document.");
	arena_free(arena);
	return mime;
}
