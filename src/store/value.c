/* SPDX-License-Identifier: ISC */
#include "store/value.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

static int column_of(PGresult *rows, const char *column)
{
	int no = PQfnumber(rows, column);

	assert(no >= 0);
	return no;
}

const char *db_text(PGresult *rows, int row, const char *column)
{
	int no = column_of(rows, column);

	return PQgetisnull(rows, row, no) ? NULL : PQgetvalue(rows, row, no);
}

/* A number in PostgreSQL's binary form: as many bytes as its type has, the highest first. */
static int64_t whole_number(const char *bytes, int len)
{
	int64_t number = (signed char)bytes[0];
	int i;

	for (i = 1; i < len; i++)
		number = (int64_t)((uint64_t)number << 8 | (unsigned char)bytes[i]);
	return number;
}

int64_t db_int(PGresult *rows, int row, const char *column)
{
	int no = column_of(rows, column);

	if (PQgetisnull(rows, row, no))
		return 0;
	return PQfformat(rows, no) == 0 ? strtoll(PQgetvalue(rows, row, no), NULL, 10)
					: whole_number(PQgetvalue(rows, row, no), PQgetlength(rows, row, no));
}

double db_number(PGresult *rows, int row, const char *column)
{
	int no = column_of(rows, column);
	int64_t bits;
	double number;

	if (PQgetisnull(rows, row, no))
		return 0;
	if (PQfformat(rows, no) == 0)
		return strtod(PQgetvalue(rows, row, no), NULL);
	bits = whole_number(PQgetvalue(rows, row, no), PQgetlength(rows, row, no));
	if (PQftype(rows, no) != DB_DOUBLE)
		return (double)bits;
	memcpy(&number, &bits, sizeof(number));
	return number;
}

bool db_true(PGresult *rows, int row, const char *column)
{
	const char *text = db_text(rows, row, column);

	return text != NULL && (*text == 't' || *text == 1);
}

/* In binary an array is: dimensions, whether there are NULLs, type; of each dimension its size and its first number;
 * of each item its length, then its bytes. */
enum { ARRAY_HEAD = 12, ARRAY_DIMENSION = 8, ARRAY_LENGTH = 4 };

int db_items(struct arena *arena, PGresult *rows, int row, const char *column, const char *const **items)
{
	int no = column_of(rows, column), n, i;
	const char *at = PQgetvalue(rows, row, no), *end = at + PQgetlength(rows, row, no);
	const char **list;
	int64_t dimensions, d;

	assert(PQfformat(rows, no) == 1);
	dimensions = end - at < ARRAY_HEAD ? 0 : whole_number(at, 4);
	n = dimensions > 0;
	for (d = 0; d < dimensions; d++)
		n *= (int)whole_number(at + ARRAY_HEAD + d * ARRAY_DIMENSION, 4);
	list = arena_get(arena, (size_t)(n + 1) * sizeof(*list));
	at += ARRAY_HEAD + dimensions * ARRAY_DIMENSION;
	for (i = 0; i < n; i++) {
		int64_t len = whole_number(at, ARRAY_LENGTH);

		assert(len >= 0 && len <= end - at - ARRAY_LENGTH);
		list[i] = arena_copy(arena, at + ARRAY_LENGTH, (size_t)len);
		at += ARRAY_LENGTH + len;
	}
	*items = list;
	return n;
}

const char *db_array(struct arena *arena, const char *const *items, size_t n)
{
	struct str *out = str_new(arena);
	size_t i;

	str_putc(out, '{');
	for (i = 0; i < n; i++) {
		const char *at = items[i], *stop;

		str_puts(out, i == 0 ? "\"" : ",\"");
		while ((stop = strpbrk(at, "\"\\")) != NULL) {
			str_add(out, at, (size_t)(stop - at));
			str_putc(out, '\\');
			str_putc(out, *stop);
			at = stop + 1;
		}
		str_puts(out, at);
		str_putc(out, '"');
	}
	str_putc(out, '}');
	return out->at;
}

static void put_4(struct str *out, uint32_t number)
{
	number = htobe32(number);
	str_add(out, (const char *)&number, sizeof(number));
}

struct str *db_pack(struct arena *arena, enum db_type type)
{
	struct str *array = str_new(arena);

	put_4(array, 1);
	put_4(array, 0);
	put_4(array, type);
	put_4(array, 0);
	put_4(array, 1); /* the first one's number */
	return array;
}

void db_pack_item(struct str *array, const char *bytes, size_t len)
{
	uint32_t count;

	memcpy(&count, array->at + ARRAY_HEAD, sizeof(count)); /* the size of the only dimension */
	count = htobe32(be32toh(count) + 1);
	memcpy(array->at + ARRAY_HEAD, &count, sizeof(count));
	put_4(array, (uint32_t)len);
	str_add(array, bytes, len);
}

const char *db_int_arg(struct arena *arena, int64_t number)
{
	return arena_printf(arena, "%lld", (long long)number);
}

const char *db_bool_arg(bool truth)
{
	return truth ? "true" : "false";
}
