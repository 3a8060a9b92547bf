/* SPDX-License-Identifier: ISC
 * Dates and times in Excel: days since the end of 1899 (or 1904), told from other numbers by the format of the cell. */
#ifndef EXEDRA_EXTRACT_SERIAL_H
#define EXEDRA_EXTRACT_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum serial { SERIAL_NOT, SERIAL_DATE = 1, SERIAL_TIME = 2, SERIAL_BOTH = 3 };

/* What a format that every Excel knows by its number is for; and one that is written out, "dd/mm/yyyy". */
enum serial serial_builtin(int64_t id);
enum serial serial_format(const char *code);
/* "2026-11-20", "08:30:00", or both with a space; false for a number that is no date. */
bool serial_print(double value, enum serial, bool since_1904, char *to, size_t room);

#endif
