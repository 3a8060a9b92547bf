/* SPDX-License-Identifier: ISC
 * Texts and presentations of OpenDocument: paragraphs and tables, notes in place in parentheses, slides parted by blank
 * lines. */
#include <string.h>

#include "base/str.h"
#include "extract/flow.h"
#include "extract/odf.h"
#include "extract/output.h"
#include "extract/readers.h"

struct reading {
	int paragraphs; /* open: only in them characters are text */
	int notes;      /* open */
	bool in_note;   /* there was a paragraph in the note */
	int lists;      /* open, and cells: paragraphs in them stand closer */
	int pages;
	struct str *heading; /* the first one, while it is read */
	bool heading_open;
};

static void begin_paragraph(struct reading *reading, bool heading)
{
	reading->paragraphs++;
	if (reading->notes > 0) {
		if (reading->in_note)
			flow_space();
		reading->in_note = true;
		return;
	}
	flow_break(heading ? 2 : 1);
	if (heading) {
		str_clear(reading->heading);
		reading->heading_open = true;
	}
}

static void begin(void *context, const struct element *element)
{
	struct reading *reading = context;
	const char *name = element->name;

	if (odf_skips(element))
		sax_pass_over(element);
	else if (strcmp(name, "p") == 0 || strcmp(name, "h") == 0)
		begin_paragraph(reading, *name == 'h');
	else if (strcmp(name, "s") == 0 || strcmp(name, "tab") == 0)
		flow_space();
	else if (strcmp(name, "line-break") == 0)
		flow_break(1);
	else if (strcmp(name, "list-item") == 0)
		flow_item();
	else if (strcmp(name, "list") == 0)
		reading->lists++;
	else if (strcmp(name, "table-cell") == 0) {
		reading->lists++;
		flow_cell_begin();
	} else if (strcmp(name, "note-body") == 0) {
		flow_text(" (", 2);
		reading->notes++;
		reading->in_note = false;
	} else if (strcmp(name, "page") == 0) {
		reading->pages++;
		flow_break(2);
	} else if (strcmp(name, "notes") == 0)
		flow_break(2);
}

static void end_paragraph(struct reading *reading, bool heading)
{
	reading->paragraphs--;
	if (reading->notes > 0)
		return;
	if (heading) {
		output_meta(META_TITLE, reading->heading->at, reading->heading->len);
		reading->heading_open = false;
	}
	flow_break(reading->lists > 0 ? 1 : 2);
}

static void end(void *context, const char *name)
{
	struct reading *reading = context;

	if (strcmp(name, "p") == 0 || strcmp(name, "h") == 0)
		end_paragraph(reading, *name == 'h');
	else if (strcmp(name, "table-cell") == 0) {
		reading->lists--;
		flow_cell_end();
	} else if (strcmp(name, "table-row") == 0)
		flow_row_end();
	else if (strcmp(name, "list") == 0)
		flow_break(--reading->lists > 0 ? 1 : 2);
	else if (strcmp(name, "note-body") == 0) {
		reading->notes--;
		flow_text(")", 1);
	} else if (strcmp(name, "table") == 0 || strcmp(name, "page") == 0)
		flow_break(2);
}

static void text(void *context, const char *at, size_t len)
{
	struct reading *reading = context;

	if (reading->paragraphs == 0)
		return;
	if (reading->heading_open && reading->heading->len < 1000)
		str_add(reading->heading, at, len);
	flow_text(at, len);
}

static void read_content(struct reading *reading)
{
	static const struct sax sax = {begin, end, text};

	odf_begin();
	reading->heading = str_new(output_arena());
	odf_content(&sax, reading);
}

void odt_read(void)
{
	struct reading reading = {0};

	read_content(&reading);
	output_end();
}

void odp_read(void)
{
	struct reading reading = {0};

	read_content(&reading);
	output_pages(reading.pages);
	output_end();
}
