/* SPDX-License-Identifier: ISC */
#include "extract/odf.h"

#include <string.h>

#include "extract/charset.h"
#include "extract/job.h"
#include "extract/package.h"
#include "extract/properties.h"

static void refuse_encrypted(void *context, const struct element *element)
{
	(void)context;
	if (strcmp(element->name, "encryption-data") == 0)
		refuse(FILE_ENCRYPTED, "The document needs a password.");
}

void odf_begin(void)
{
	static const struct sax manifest = {.begin = refuse_encrypted};
	static const struct property properties[] = {{"title", META_TITLE}, {"initial-creator", META_AUTHOR},
		{"creator", META_AUTHOR}, {"description", META_DESCRIPTION}, {"subject", META_DESCRIPTION},
		{"creation-date", META_PUBLISHED}, {"language", META_LANGUAGE}, {NULL, 0}};
	struct arena *arena = job_arena();
	struct feed *feed;

	package_open();
	feed = package_member(arena, "META-INF/manifest.xml");
	if (feed != NULL)
		sax_read(feed, &manifest, NULL);
	properties_read("meta.xml", properties);
	arena_free(arena);
}

void odf_content(const struct sax *sax, void *context)
{
	struct arena *arena = job_arena();

	sax_read(package_part(arena, "content.xml"), sax, context);
	arena_free(arena);
}

bool odf_skips(const struct element *element)
{
	static const char *const skipped[] = {
		"tracked-changes", "annotation", "title", "desc", "note-citation", "forms", "ruby-text", "settings"};

	/* a picture's title is a remark on it, but a field that has the document's is shown */
	if (strcmp(element->name, "title") == 0 && element->vocabulary != NULL &&
		strcmp(element->vocabulary, "urn:oasis:names:tc:opendocument:xmlns:text:1.0") == 0)
		return false;
	for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++)
		if (strcmp(element->name, skipped[i]) == 0)
			return true;
	return false;
}
