/* SPDX-License-Identifier: ISC
 * Text documents of Word: the body, then footnotes and endnotes.  What was deleted with changes tracked stays out, and
 * so do comments, headers and footers of the page, and instructions of fields. */
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "extract/flow.h"
#include "extract/job.h"
#include "extract/ooxml.h"
#include "extract/output.h"
#include "extract/package.h"
#include "extract/readers.h"

struct reading {
	bool text;       /* inside an element whose characters are text */
	bool properties; /* of a paragraph */
	bool heading;    /* this paragraph is one */
	bool item;       /* this paragraph is one, of a list */
	bool after_item; /* the one before was */
	int cells;       /* open */
	bool title;      /* a title is being listened for */
	struct str *first_heading;
};

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static void note_style(struct reading *reading, const struct element *element)
{
	char style[64];

	sax_attribute(element, "val", style, sizeof(style));
	reading->heading = strncasecmp(style, "heading", 7) == 0 || strcasecmp(style, "title") == 0;
}

static void begin_property(struct reading *reading, const struct element *element)
{
	if (strcmp(element->name, "pStyle") == 0)
		note_style(reading, element);
	else if (strcmp(element->name, "numPr") == 0 && !reading->heading) {
		reading->item = true;
		flow_item();
	}
}

static void begin_content(struct reading *reading, const char *name)
{
	if (strcmp(name, "t") == 0)
		reading->text = true;
	else if (strcmp(name, "p") == 0) {
		reading->heading = reading->item = false;
		flow_break(1);
	} else if (strcmp(name, "tab") == 0 || strcmp(name, "ptab") == 0)
		flow_space();
	else if (strcmp(name, "br") == 0 || strcmp(name, "cr") == 0)
		flow_break(1);
	else if (strcmp(name, "noBreakHyphen") == 0)
		flow_text("-", 1);
	else if (strcmp(name, "tbl") == 0)
		flow_break(2);
	else if (strcmp(name, "tc") == 0) {
		reading->cells++;
		flow_cell_begin();
	}
}

static void begin(void *context, const struct element *element)
{
	/* Fallback says again, for old programs, what Choice has said; rt how an eastern Asian word is pronounced */
	static const char *const skipped[] = {
		"del", "moveFrom", "Fallback", "instrText", "delText", "rPr", "pPrChange", "rt", NULL};
	struct reading *reading = context;

	if (is_one_of(element->name, skipped))
		sax_pass_over(element);
	else if (strcmp(element->name, "pPr") == 0)
		reading->properties = true;
	else if (reading->properties)
		begin_property(reading, element);
	else
		begin_content(reading, element->name);
}

static void end_paragraph(struct reading *reading)
{
	if (reading->heading && reading->first_heading->len > 0) {
		output_meta(META_TITLE, reading->first_heading->at, reading->first_heading->len);
		reading->title = false;
	}
	str_clear(reading->first_heading);
	reading->after_item = reading->item;
	flow_break(reading->item || reading->cells > 0 ? 1 : 2);
}

static void end(void *context, const char *name)
{
	struct reading *reading = context;

	if (strcmp(name, "t") == 0)
		reading->text = false;
	else if (strcmp(name, "pPr") == 0)
		reading->properties = false;
	else if (strcmp(name, "p") == 0)
		end_paragraph(reading);
	else if (strcmp(name, "tc") == 0) {
		reading->cells--;
		flow_cell_end();
	} else if (strcmp(name, "tr") == 0)
		flow_row_end();
	else if (strcmp(name, "tbl") == 0)
		flow_break(2);
}

static void text(void *context, const char *at, size_t len)
{
	struct reading *reading = context;

	if (!reading->text)
		return;
	if (reading->heading && reading->title && reading->first_heading->len < 1000)
		str_add(reading->first_heading, at, len);
	if (reading->after_item && !reading->item)
		flow_break(2);
	reading->after_item = false;
	flow_text(at, len);
}

static void read_part(struct arena *arena, const char *name, bool title)
{
	static const struct sax sax = {begin, end, text};
	struct reading reading = {.title = title, .first_heading = str_new(arena)};
	struct feed *feed = package_member(arena, name);

	if (feed == NULL)
		return;
	flow_break(2);
	sax_read(feed, &sax, &reading);
}

void docx_read(void)
{
	struct arena *arena = output_arena();
	struct relation *relations;
	const char *document, *notes;

	package_open();
	document = ooxml_begin(arena);
	relations = ooxml_relations(arena, document);
	read_part(arena, document, true);
	notes = ooxml_by_type(relations, "footnotes");
	if (notes != NULL)
		read_part(arena, notes, false);
	notes = ooxml_by_type(relations, "endnotes");
	if (notes != NULL)
		read_part(arena, notes, false);
	output_end();
}
