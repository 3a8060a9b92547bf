/* SPDX-License-Identifier: ISC
 * XML of whatever vocabulary: the texts of its elements.  Where a document has line breaks, or nothing, between two
 * tags, there is a new line; where text touches a tag it goes on. */
#include <string.h>

#include "extract/charset.h"
#include "extract/flow.h"
#include "extract/job.h"
#include "extract/output.h"
#include "extract/readers.h"
#include "extract/sax.h"

struct reading {
	bool after_tag; /* no character came since the last one */
};

static void tag(struct reading *reading)
{
	if (reading->after_tag)
		flow_break(1);
	reading->after_tag = true;
}

static void begin(void *context, const struct element *element)
{
	char language[32];

	tag(context);
	if (sax_attribute(element, "lang", language, sizeof(language)))
		output_meta_text(META_LANGUAGE, language);
}

static void end(void *context, const char *name)
{
	(void)name;
	tag(context);
}

/* Lines of the source are lines of the text: they show how it was meant where no vocabulary is known. */
static void text(void *context, const char *at, size_t len)
{
	struct reading *reading = context;
	const char *newline;

	reading->after_tag = false;
	while ((newline = memchr(at, '\n', len)) != NULL) {
		flow_text(at, (size_t)(newline - at));
		flow_break(1);
		len -= (size_t)(newline - at) + 1;
		at = newline + 1;
	}
	flow_text(at, len);
}

void xml_read(void)
{
	static const struct sax sax = {begin, end, text};
	struct reading reading = {0};

	sax_read(feed_input(output_arena()), &sax, &reading);
	output_end();
}
