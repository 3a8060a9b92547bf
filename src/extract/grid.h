/* SPDX-License-Identifier: ISC
 * Sheets of cells as comma-separated values: a row a line, no commas after the last cell, a blank line for rows that
 * are left out. */
#ifndef EXEDRA_EXTRACT_GRID_H
#define EXEDRA_EXTRACT_GRID_H

#include <stddef.h>

enum { GRID_COLUMNS = 16384 }; /* of the widest programs */

/* Before the first cell of a sheet. */
void grid_sheet(const char *name);
/* The text of a cell; columns count from 0 and grow within a row.  Empty ones need not be given. */
void grid_cell(long column, const char *, size_t);
/* The row is complete, and stands so many times; rows count from 0.  A row without text is left out. */
void grid_row(long row, long times);

#endif
