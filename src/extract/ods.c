/* SPDX-License-Identifier: ISC
 * Sheets of OpenDocument.  A cell or row may say that it stands a million times; empty ones do, up to the sheet's edge.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "extract/grid.h"
#include "extract/job.h"
#include "extract/odf.h"
#include "extract/output.h"
#include "extract/readers.h"

enum { MAX_ROWS = 1 << 20 };

struct reading {
	int cells, paragraphs; /* open */
	int sheets;
	long row, column;
	int64_t row_times, cell_times;
	bool stated;       /* the value stands in an attribute */
	struct str *value; /* of the cell */
};

static int64_t repeats(const struct element *element, const char *name, int64_t max)
{
	int64_t n = sax_number(element, name, 1);

	return n < 1 ? 1 : n > max ? max : n;
}

/* Dates and numbers as they are, not as some locale writes them; percentages and sums of money as they are shown. */
static void take_value(struct reading *reading, const struct element *element)
{
	char type[16], value[64], *rest;
	double number;

	sax_attribute(element, "value-type", type, sizeof(type));
	reading->stated = true;
	if (strcmp(type, "date") == 0 && sax_attribute(element, "date-value", value, sizeof(value)))
		str_puts(reading->value, value);
	else if (strcmp(type, "float") == 0 && sax_attribute(element, "value", value, sizeof(value))) {
		number = strtod(value, &rest);
		str_printf(reading->value, "%.15g", number);
	} else
		reading->stated = false;
}

static void begin_cell(struct reading *reading, const struct element *element)
{
	if (reading->cells++ > 0)
		return;
	str_clear(reading->value);
	reading->cell_times = repeats(element, "number-columns-repeated", GRID_COLUMNS);
	take_value(reading, element);
}

static void begin_sheet(struct reading *reading, const struct element *element)
{
	char name[256];

	sax_attribute(element, "name", name, sizeof(name));
	grid_sheet(name);
	reading->sheets++;
	reading->row = 0;
}

static void begin(void *context, const struct element *element)
{
	struct reading *reading = context;
	const char *name = element->name;

	if (odf_skips(element) || strcmp(name, "shapes") == 0)
		sax_pass_over(element);
	else if (strcmp(name, "table") == 0 && reading->cells == 0)
		begin_sheet(reading, element);
	else if (strcmp(name, "table-row") == 0 && reading->cells == 0) {
		reading->row_times = repeats(element, "number-rows-repeated", MAX_ROWS);
		reading->column = 0;
	} else if (strcmp(name, "table-cell") == 0)
		begin_cell(reading, element);
	else if (strcmp(name, "covered-table-cell") == 0) {
		reading->column += (long)repeats(element, "number-columns-repeated", GRID_COLUMNS);
		sax_pass_over(element);
	} else if (strcmp(name, "p") == 0) {
		reading->paragraphs++;
		if (reading->value->len > 0 && !reading->stated)
			str_putc(reading->value, '\n');
	} else if ((strcmp(name, "s") == 0 || strcmp(name, "tab") == 0) && !reading->stated)
		str_putc(reading->value, ' ');
}

static void end_cell(struct reading *reading)
{
	if (--reading->cells > 0)
		return;
	for (int64_t i = 0; i < reading->cell_times && reading->sheets > 0; i++) {
		if (reading->value->len == 0) {
			reading->column += (long)(reading->cell_times - i);
			return;
		}
		grid_cell(reading->column++, reading->value->at, reading->value->len);
	}
}

static void end_row(struct reading *reading)
{
	if (reading->sheets > 0)
		grid_row(reading->row, (long)reading->row_times);
	reading->row += (long)reading->row_times;
}

static void end(void *context, const char *name)
{
	struct reading *reading = context;

	if (strcmp(name, "table-cell") == 0)
		end_cell(reading);
	else if (strcmp(name, "table-row") == 0 && reading->cells == 0)
		end_row(reading);
	else if (strcmp(name, "p") == 0)
		reading->paragraphs--;
}

static void text(void *context, const char *at, size_t len)
{
	struct reading *reading = context;

	if (reading->cells > 0 && reading->paragraphs > 0 && !reading->stated)
		str_add(reading->value, at, len);
}

void ods_read(void)
{
	static const struct sax sax = {begin, end, text};
	struct reading reading = {.value = str_new(output_arena())};

	odf_begin();
	odf_content(&sax, &reading);
	output_pages(reading.sheets);
	output_end();
}
