/* SPDX-License-Identifier: ISC */
#include "extract/serial.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum serial serial_builtin(int64_t id)
{
	if (id >= 14 && id <= 17)
		return SERIAL_DATE;
	if (id == 22)
		return SERIAL_BOTH;
	if ((id >= 18 && id <= 21) || id == 45 || id == 47)
		return SERIAL_TIME;
	/* of eastern Asian versions */
	if ((id >= 27 && id <= 31) || id == 36 || (id >= 50 && id <= 58))
		return SERIAL_DATE;
	return SERIAL_NOT;
}

/* What is shown as it stands: in quotes, after a backslash, in brackets (a colour or a language). */
static const char *skip_literal(const char *at)
{
	const char *end = NULL;

	if (*at == '"')
		end = strchr(at + 1, '"');
	else if (*at == '[')
		end = strchr(at, ']');
	else if ((*at == '\\' || *at == '_' || *at == '*') && at[1] != '\0')
		end = at + 1;
	return end != NULL ? end + 1 : at;
}

enum serial serial_format(const char *code)
{
	int found = SERIAL_NOT;
	bool month = false;

	while (*code != '\0' && *code != ';') {
		const char *after = skip_literal(code);

		/* [h]:mm is a length of time, which may have more than a day */
		if (*code == '[' && strchr("hHmMsS", code[1]) != NULL && code[1] != '\0')
			return SERIAL_NOT;
		if (after != code) {
			code = after;
			continue;
		}
		if (strchr("yYdD", *code) != NULL)
			found |= SERIAL_DATE;
		if (strchr("hHsS", *code) != NULL)
			found |= SERIAL_TIME;
		month |= *code == 'm' || *code == 'M';
		code++;
	}
	return found == SERIAL_NOT && month ? SERIAL_DATE : (enum serial)found;
}

bool serial_print(double value, enum serial serial, bool since_1904, char *to, size_t room)
{
	double days = floor(value), seconds = round((value - days) * 86400);
	time_t at;
	struct tm tm;

	if (value < 0 || days > 2958465) /* the year 9999 */
		return false;
	if (since_1904)
		days += 1462;
	else if (days < 60)
		days += 1; /* Excel believes in a 29 February 1900, which is day 60 */
	at = (time_t)((days - 25569) * 86400 + seconds);
	if (gmtime_r(&at, &tm) == NULL)
		return false;
	if (serial == SERIAL_TIME && value < 1)
		return strftime(to, room, "%H:%M:%S", &tm) > 0;
	if (seconds == 0 || serial == SERIAL_DATE)
		return strftime(to, room, "%Y-%m-%d", &tm) > 0;
	return strftime(to, room, "%Y-%m-%d %H:%M:%S", &tm) > 0;
}
