/* SPDX-License-Identifier: ISC
 * Slides of PowerPoint, in the order they are shown: what stands on each, in its diagrams, and in its notes. */
#include <string.h>

#include "base/str.h"
#include "extract/flow.h"
#include "extract/job.h"
#include "extract/ooxml.h"
#include "extract/output.h"
#include "extract/package.h"
#include "extract/readers.h"

/* ---- the order of slides */

struct slides {
	struct arena *arena;
	const struct relation *relations;
	struct slide {
		const char *name;
		struct slide *next;
	} * first, **last;
	int n;
};

static void note_slide(void *context, const struct element *element)
{
	struct slides *slides = context;
	struct slide *slide;
	char id[128];
	const char *name;

	if (strcmp(element->name, "sldId") != 0 || !sax_attribute(element, ":id", id, sizeof(id)))
		return;
	name = ooxml_by_id(slides->relations, id);
	if (name == NULL)
		return;
	slide = arena_get(slides->arena, sizeof(*slide));
	slide->name = name;
	*slides->last = slide;
	slides->last = &slide->next;
	slides->n++;
}

/* ---- a slide */

struct reading {
	bool text;         /* inside a:t */
	bool placeholder;  /* the shape at hand is the slide's number, date or footer */
	struct str *title; /* the shape at hand is the slide's title; else NULL */
	struct str *titles;
};

static void note_placeholder(struct reading *reading, const struct element *element)
{
	char type[32];

	sax_attribute(element, "type", type, sizeof(type));
	reading->placeholder = strcmp(type, "sldNum") == 0 || strcmp(type, "dt") == 0 || strcmp(type, "ftr") == 0 ||
			       strcmp(type, "hdr") == 0;
	if (strcmp(type, "title") == 0 || strcmp(type, "ctrTitle") == 0)
		reading->title = reading->titles;
}

static void begin(void *context, const struct element *element)
{
	struct reading *reading = context;
	const char *name = element->name;

	if (strcmp(name, "t") == 0)
		reading->text = true;
	else if (strcmp(name, "p") == 0 || strcmp(name, "br") == 0)
		flow_break(1);
	else if (strcmp(name, "tab") == 0)
		flow_space();
	else if (strcmp(name, "tc") == 0)
		flow_cell_begin();
	else if (strcmp(name, "sp") == 0) {
		reading->placeholder = false;
		flow_break(1);
	} else if (strcmp(name, "ph") == 0)
		note_placeholder(reading, element);
}

static void end_shape(struct reading *reading)
{
	if (reading->title != NULL)
		output_meta(META_TITLE, reading->title->at, reading->title->len);
	reading->title = NULL;
	reading->placeholder = false;
	flow_break(1);
}

static void end(void *context, const char *name)
{
	struct reading *reading = context;

	if (strcmp(name, "t") == 0)
		reading->text = false;
	else if (strcmp(name, "p") == 0)
		flow_break(1);
	else if (strcmp(name, "tc") == 0)
		flow_cell_end();
	else if (strcmp(name, "tr") == 0)
		flow_row_end();
	else if (strcmp(name, "sp") == 0)
		end_shape(reading);
}

static void text(void *context, const char *at, size_t len)
{
	struct reading *reading = context;

	if (!reading->text || reading->placeholder)
		return;
	if (reading->title != NULL && reading->title->len < 1000)
		str_add(reading->title, at, len);
	flow_text(at, len);
}

static void read_part(const char *name)
{
	static const struct sax sax = {begin, end, text};
	struct arena *arena = job_arena();
	struct reading reading = {.titles = str_new(arena)};
	struct feed *feed = package_member(arena, name);

	if (feed != NULL)
		sax_read(feed, &sax, &reading);
	arena_free(arena);
}

static void read_slide(const char *name)
{
	struct arena *arena = job_arena();
	struct relation *relation = ooxml_relations(arena, name);

	flow_break(2);
	read_part(name);
	for (; relation != NULL; relation = relation->next) {
		bool notes = strcmp(relation->type, "notesSlide") == 0;

		if (relation->target == NULL || (!notes && strcmp(relation->type, "diagramData") != 0))
			continue;
		flow_break(notes ? 2 : 1);
		read_part(relation->target);
	}
	arena_free(arena);
}

void pptx_read(void)
{
	static const struct sax sax = {.begin = note_slide};
	struct arena *arena = output_arena();
	struct slides slides = {.arena = arena, .last = &slides.first};
	const char *presentation;

	package_open();
	presentation = ooxml_begin(arena);
	slides.relations = ooxml_relations(arena, presentation);
	sax_read(package_part(arena, presentation), &sax, &slides);
	output_pages(slides.n);
	for (struct slide *slide = slides.first; slide != NULL; slide = slide->next)
		read_slide(slide->name);
	output_end();
}
