/* SPDX-License-Identifier: ISC
 * Workbooks of Excel: each sheet in turn, its cells as the formulas left them.  Dates are numbers that only the cell's
 * style tells from others. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "extract/grid.h"
#include "extract/job.h"
#include "extract/ooxml.h"
#include "extract/output.h"
#include "extract/package.h"
#include "extract/readers.h"
#include "extract/serial.h"

enum { MAX_SHEETS = 10000, MAX_STYLES = 65536, MAX_ROWS = 1 << 20 };

/* What all sheets share. */
static struct {
	struct arena *arena;
	struct str *strings; /* one behind the other */
	size_t *ends;        /* where each ends */
	size_t n_strings, room;
	enum serial formats[MAX_STYLES]; /* by style */
	bool since_1904;
} book;

/* ---- shared strings */

struct strings_reading {
	bool text;
	int phonetic; /* readings of Japanese words stand beside them */
};

static void begin_string(void *context, const struct element *element)
{
	struct strings_reading *reading = context;

	reading->text = strcmp(element->name, "t") == 0;
	if (strcmp(element->name, "rPh") == 0)
		reading->phonetic++;
}

static void end_string(void *context, const char *name)
{
	struct strings_reading *reading = context;

	reading->text = false;
	if (strcmp(name, "rPh") == 0)
		reading->phonetic--;
	if (strcmp(name, "si") != 0)
		return;
	if (book.n_strings == book.room) {
		size_t *more;

		book.room = book.room > 0 ? 2 * book.room : 1024;
		more = arena_get(book.arena, book.room * sizeof(*more));
		if (book.n_strings > 0)
			memcpy(more, book.ends, book.n_strings * sizeof(*more));
		book.ends = more;
	}
	book.ends[book.n_strings++] = book.strings->len;
}

static void add_string(void *context, const char *at, size_t len)
{
	struct strings_reading *reading = context;

	if (reading->text && reading->phonetic == 0)
		str_add(book.strings, at, len);
}

static void read_strings(const char *part)
{
	static const struct sax sax = {begin_string, end_string, add_string};
	struct strings_reading reading = {0};
	struct arena *arena = job_arena();

	book.strings = str_new(book.arena);
	if (part != NULL)
		sax_read(package_part(arena, part), &sax, &reading);
	arena_free(arena);
}

/* ---- styles */

struct styles_reading {
	bool cells; /* inside cellXfs */
	int n;      /* styles so far */
	struct format {
		int64_t id;
		enum serial serial;
		struct format *next;
	} * formats; /* that the book defines */
	struct arena *arena;
};

static enum serial find_format(const struct styles_reading *reading, int64_t id)
{
	for (const struct format *format = reading->formats; format != NULL; format = format->next)
		if (format->id == id)
			return format->serial;
	return serial_builtin(id);
}

static void define_format(struct styles_reading *reading, const struct element *element)
{
	struct format *format = arena_get(reading->arena, sizeof(*format));
	char code[256];

	sax_attribute(element, "formatCode", code, sizeof(code));
	format->id = sax_number(element, "numFmtId", -1);
	format->serial = serial_format(code);
	format->next = reading->formats;
	reading->formats = format;
}

static void begin_style(void *context, const struct element *element)
{
	struct styles_reading *reading = context;

	if (strcmp(element->name, "numFmt") == 0)
		define_format(reading, element);
	else if (strcmp(element->name, "cellXfs") == 0)
		reading->cells = true;
	else if (strcmp(element->name, "xf") == 0 && reading->cells && reading->n < MAX_STYLES)
		book.formats[reading->n++] = find_format(reading, sax_number(element, "numFmtId", 0));
}

static void end_style(void *context, const char *name)
{
	if (strcmp(name, "cellXfs") == 0)
		((struct styles_reading *)context)->cells = false;
}

static void read_styles(const char *part)
{
	static const struct sax sax = {.begin = begin_style, .end = end_style};
	struct arena *arena = job_arena();
	struct styles_reading reading = {.arena = arena};

	if (part != NULL)
		sax_read(package_part(arena, part), &sax, &reading);
	arena_free(arena);
}

/* ---- a sheet */

struct sheet_reading {
	long row, column;
	char type[16];
	int64_t style;
	bool listening; /* inside v or t */
	int phonetic;
	struct str *value, *plain;
};

/* "BC17" is column 54, row 16.  Without a reference: the one after the last. */
static void find_place(struct sheet_reading *reading, const struct element *element)
{
	char reference[32], *at = reference;
	long column = 0;

	reading->column++;
	if (!sax_attribute(element, "r", reference, sizeof(reference)))
		return;
	for (; isalpha((unsigned char)*at) && column <= GRID_COLUMNS; at++)
		column = column * 26 + toupper((unsigned char)*at) - 'A' + 1;
	if (column > 0)
		reading->column = column - 1;
}

static void begin_cell(struct sheet_reading *reading, const struct element *element)
{
	find_place(reading, element);
	if (!sax_attribute(element, "t", reading->type, sizeof(reading->type)))
		strcpy(reading->type, "n");
	reading->style = sax_number(element, "s", 0);
	str_clear(reading->value);
}

static void begin_row(struct sheet_reading *reading, int64_t number)
{
	if (number < 1 || number > MAX_ROWS)
		refuse(FILE_BROKEN, "It has a row that no sheet has.");
	reading->row = (long)number - 1;
	reading->column = -1;
}

static void begin_in_sheet(void *context, const struct element *element)
{
	struct sheet_reading *reading = context;
	const char *name = element->name;

	if (strcmp(name, "c") == 0)
		begin_cell(reading, element);
	else if (strcmp(name, "row") == 0) {
		begin_row(reading, sax_number(element, "r", reading->row + 2));
	} else if (strcmp(name, "rPh") == 0)
		reading->phonetic++;
	else if (strcmp(name, "v") == 0 || strcmp(name, "t") == 0)
		reading->listening = reading->phonetic == 0;
}

/* Excel keeps 17 digits and shows 15 at most: 0.30000000000000004 is 0.3. */
static void put_number(struct sheet_reading *reading, const char *text)
{
	char number[64];
	enum serial serial =
		reading->style >= 0 && reading->style < MAX_STYLES ? book.formats[reading->style] : SERIAL_NOT;
	char *rest;
	double value = strtod(text, &rest);

	if (rest == text || *rest != '\0' || !isfinite(value)) {
		grid_cell(reading->column, text, strlen(text));
		return;
	}
	if (serial == SERIAL_NOT || !serial_print(value, serial, book.since_1904, number, sizeof(number)))
		snprintf(number, sizeof(number), "%.15g", value);
	grid_cell(reading->column, number, strlen(number));
}

/* "_x000D_": characters that XML cannot hold are written so, and the line ends of some programs. */
static bool is_escape(const char *at, size_t len, unsigned *code)
{
	char digits[5] = "";

	if (len < 7 || at[0] != '_' || at[1] != 'x' || at[6] != '_')
		return false;
	memcpy(digits, at + 2, 4);
	return strspn(digits, "0123456789abcdefABCDEF") == 4 && sscanf(digits, "%x", code) == 1;
}

static void put_text(struct sheet_reading *reading, const char *at, size_t len)
{
	unsigned code;

	if (memmem(at, len, "_x", 2) == NULL) {
		grid_cell(reading->column, at, len);
		return;
	}
	str_clear(reading->plain);
	for (size_t i = 0; i < len; i++)
		if (!is_escape(at + i, len - i, &code))
			str_putc(reading->plain, at[i]);
		else {
			utf8_put(reading->plain, code == 0 || (code >= 0xD800 && code < 0xE000) ? 0xFFFD : code);
			i += 6;
		}
	grid_cell(reading->column, reading->plain->at, reading->plain->len);
}

static void put_shared(struct sheet_reading *reading)
{
	size_t i = strtoull(reading->value->at, NULL, 10), begin;

	if (i >= book.n_strings)
		return;
	begin = i > 0 ? book.ends[i - 1] : 0;
	put_text(reading, book.strings->at + begin, book.ends[i] - begin);
}

static void end_cell(struct sheet_reading *reading)
{
	const struct str *value = reading->value;

	if (value->len == 0)
		return;
	if (strcmp(reading->type, "s") == 0)
		put_shared(reading);
	else if (strcmp(reading->type, "b") == 0)
		grid_cell(reading->column, value->at[0] == '1' ? "TRUE" : "FALSE", value->at[0] == '1' ? 4 : 5);
	else if (strcmp(reading->type, "n") == 0)
		put_number(reading, value->at);
	else
		put_text(reading, value->at, value->len);
}

static void end_in_sheet(void *context, const char *name)
{
	struct sheet_reading *reading = context;

	reading->listening = false;
	if (strcmp(name, "c") == 0)
		end_cell(reading);
	else if (strcmp(name, "row") == 0)
		grid_row(reading->row, 1);
	else if (strcmp(name, "rPh") == 0)
		reading->phonetic--;
}

static void text_in_sheet(void *context, const char *at, size_t len)
{
	struct sheet_reading *reading = context;

	if (reading->listening)
		str_add(reading->value, at, len);
}

static void read_sheet(const char *title, const char *part)
{
	static const struct sax sax = {begin_in_sheet, end_in_sheet, text_in_sheet};
	struct arena *arena = job_arena();
	struct sheet_reading reading = {.row = -1, .value = str_new(arena), .plain = str_new(arena)};

	grid_sheet(title);
	sax_read(package_part(arena, part), &sax, &reading);
	arena_free(arena);
}

/* ---- the book */

struct sheets {
	const struct relation *relations;
	int n;
	struct {
		const char *title, *part;
	} all[MAX_SHEETS];
};

static void note_sheet(struct sheets *sheets, const struct element *element)
{
	char title[256], id[128];
	const char *part;

	sax_attribute(element, "name", title, sizeof(title));
	sax_attribute(element, ":id", id, sizeof(id));
	part = ooxml_by_id(sheets->relations, id);
	if (part == NULL)
		return;
	if (sheets->n == MAX_SHEETS)
		refuse(FILE_TOO_LARGE, "It has more than %d sheets.", MAX_SHEETS);
	sheets->all[sheets->n].title = arena_strdup(book.arena, title);
	sheets->all[sheets->n++].part = part;
}

static void begin_in_book(void *context, const struct element *element)
{
	if (strcmp(element->name, "sheet") == 0)
		note_sheet(context, element);
	else if (strcmp(element->name, "workbookPr") == 0)
		book.since_1904 = sax_true(element, "date1904");
}

void xlsx_read(void)
{
	static const struct sax sax = {.begin = begin_in_book};
	static struct sheets sheets;
	const char *workbook;

	book.arena = output_arena();
	package_open();
	workbook = ooxml_begin(book.arena);
	sheets.relations = ooxml_relations(book.arena, workbook);
	sax_read(package_part(book.arena, workbook), &sax, &sheets);
	output_pages(sheets.n);
	read_styles(ooxml_by_type(sheets.relations, "styles"));
	read_strings(ooxml_by_type(sheets.relations, "sharedStrings"));
	for (int i = 0; i < sheets.n; i++)
		read_sheet(sheets.all[i].title, sheets.all[i].part);
	output_end();
}
