/* SPDX-License-Identifier: ISC */
#include "extract/properties.h"

#include <string.h>

#include "base/str.h"
#include "extract/job.h"
#include "extract/package.h"
#include "extract/sax.h"

enum { MAX_PROPERTY_BYTES = 8 << 10 };

struct reading {
	const struct property *properties;
	const struct property *now; /* whose text is being read, or NULL */
	struct str *text;
};

static void begin(void *context, const struct element *element)
{
	struct reading *reading = context;

	reading->now = NULL;
	str_clear(reading->text);
	for (const struct property *p = reading->properties; p->element != NULL; p++)
		if (strcmp(element->name, p->element) == 0)
			reading->now = p;
}

static void end(void *context, const char *name)
{
	struct reading *reading = context;

	(void)name;
	if (reading->now != NULL)
		output_meta(reading->now->meta, reading->text->at, reading->text->len);
	reading->now = NULL;
}

static void text(void *context, const char *at, size_t len)
{
	struct reading *reading = context;

	if (reading->now != NULL && reading->text->len < MAX_PROPERTY_BYTES)
		str_add(reading->text, at, len);
}

void properties_read(const char *member, const struct property *properties)
{
	static const struct sax sax = {begin, end, text};
	struct arena *arena = job_arena();
	struct reading reading = {.properties = properties, .text = str_new(arena)};
	struct feed *feed = package_member(arena, member);

	if (feed != NULL)
		sax_read(feed, &sax, &reading);
	arena_free(arena);
}
