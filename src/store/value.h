/* SPDX-License-Identifier: ISC
 * Values out of rows and into parameters. */
#ifndef EXEDRA_VALUE_H
#define EXEDRA_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/arena.h"
#include "base/str.h"

/* Values of a row, which came as text or, where the call said so, in binary: NULL, 0 or false for SQL's NULL; text
 * lives as long as the rows.  A number is a bigint, an int or a smallint; db_number() takes a double precision too. */
const char *db_text(PGresult *, int row, const char *column);
int64_t db_int(PGresult *, int row, const char *column);
double db_number(PGresult *, int row, const char *column);
bool db_true(PGresult *, int row, const char *column);
/* The items of a text[] that came in binary, of any dimensions, in `arena`, none of which is NULL; returns how many. An
 * SQL NULL has none. */
int db_items(struct arena *, PGresult *, int row, const char *column, const char *const **items);

/* Text for a parameter: an array literal, numbers. */
const char *db_array(struct arena *, const char *const *items, size_t n);
/* Numbers of types, as pg_type.dat has them. */
enum db_type { DB_BYTEA = 17, DB_TEXT = 25, DB_DOUBLE = 701 };
/* An array in binary, item by item: for an argument whose length is told.  It spares both sides much work where items
 * are long or many. */
struct str *db_pack(struct arena *, enum db_type);
void db_pack_item(struct str *array, const char *bytes, size_t len);
const char *db_int_arg(struct arena *, int64_t);
const char *db_bool_arg(bool);

#endif
