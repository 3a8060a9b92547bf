/* SPDX-License-Identifier: ISC */
#include "extract/grid.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "extract/job.h"
#include "extract/output.h"

static struct {
	struct arena *arena; /* of the sheet's name and the row */
	const char *name;
	bool begun; /* the sheet has a row that was printed */
	long last;  /* that row */
	struct str *line;
	long column; /* of the last cell in the line, -1 = none */
} grid;

void grid_sheet(const char *name)
{
	if (grid.arena == NULL)
		grid.arena = job_arena();
	arena_empty(grid.arena);
	grid.name = arena_strdup(grid.arena, name);
	grid.line = str_new(grid.arena);
	grid.column = -1;
	grid.begun = false;
}

static void put_quoted(const char *at, size_t len)
{
	str_putc(grid.line, '"');
	for (size_t i = 0; i < len; i++) {
		if (at[i] == '"')
			str_putc(grid.line, '"');
		str_putc(grid.line, at[i]);
	}
	str_putc(grid.line, '"');
}

static bool needs_quotes(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr(",\"\r\n", at[i]) != NULL)
			return true;
	return false;
}

void grid_cell(long column, const char *at, size_t len)
{
	static const char commas[] = ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,";
	long missing;

	if (len == 0)
		return;
	if (column < 0 || column >= GRID_COLUMNS)
		refuse(FILE_BROKEN, "It has a cell in a column that no sheet has.");
	missing = grid.column < 0 ? column : column - grid.column;
	for (; missing > 0; missing -= (long)sizeof(commas) - 1)
		str_add(grid.line, commas, missing < (long)sizeof(commas) - 1 ? (size_t)missing : sizeof(commas) - 1);
	if (needs_quotes(at, len))
		put_quoted(at, len);
	else
		str_add(grid.line, at, len);
	grid.column = column;
	if (grid.line->len > job.max_bytes)
		refuse(FILE_TOO_LARGE, "Its text is longer than %llu bytes.", (unsigned long long)job.max_bytes);
}

static void begin_sheet(void)
{
	struct part part = {.title = grid.name};

	output_part(&part);
	if (!job.parts) {
		output_puts("Sheet: ");
		output_puts(grid.name);
		output_puts("\n");
	}
	grid.begun = true;
}

void grid_row(long row, long times)
{
	if (grid.column < 0)
		return;
	if (!grid.begun)
		begin_sheet();
	else if (row > grid.last + 1)
		output_puts("\n");
	str_putc(grid.line, '\n');
	for (long i = 0; i < times; i++)
		output_text(grid.line->at, grid.line->len);
	str_clear(grid.line);
	grid.column = -1;
	grid.last = row + times - 1;
}
