/* SPDX-License-Identifier: ISC
 * Growing text, and the one place where text and numbers become JSON. */
#include "base/str.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an empty text without room points to; never written through. */
static char nothing[1];

static void release_str(void *thing)
{
	struct str *str = thing;

	if (str->room > 0)
		free(str->at);
}

struct str *str_new(struct arena *arena)
{
	struct str *str = arena_get(arena, sizeof *str);

	str->at = nothing;
	str->arena = arena;
	arena_later(arena, release_str, str);
	return str;
}

/* Make room for `more` bytes and a NUL. */
static void grow(struct str *str, size_t more)
{
	size_t room = str->room < 64 ? 64 : str->room, need;
	char *at;

	if (more > PTRDIFF_MAX - str->len - 1)
		arena_exhausted(str->arena);
	need = str->len + more + 1;
	if (need <= str->room)
		return;
	while (room < need)
		room *= 2;
	at = realloc(str->room > 0 ? str->at : NULL, room);
	if (at == NULL)
		arena_exhausted(str->arena);
	str->at = at;
	str->room = room;
}

void str_add(struct str *str, const char *bytes, size_t len)
{
	if (len == 0)
		return;
	grow(str, len);
	memcpy(str->at + str->len, bytes, len);
	str->len += len;
	str->at[str->len] = '\0';
}

void str_puts(struct str *str, const char *text)
{
	str_add(str, text, strlen(text));
}

void str_putc(struct str *str, char c)
{
	str_add(str, &c, 1);
}

void str_printf(struct str *str, const char *format, ...)
{
	va_list args;
	int len;

	grow(str, 64);
	va_start(args, format);
	len = vsnprintf(str->at + str->len, str->room - str->len, format, args);
	va_end(args);
	if (len < 0) {
		str->at[str->len] = '\0';
		arena_exhausted(str->arena);
	}
	if ((size_t)len >= str->room - str->len) {
		str->at[str->len] = '\0'; /* still whole if growing fails */
		grow(str, (size_t)len);
		va_start(args, format);
		vsnprintf(str->at + str->len, str->room - str->len, format, args);
		va_end(args);
	}
	str->len += (size_t)len;
}

void str_clear(struct str *str)
{
	str->len = 0;
	if (str->room > 0)
		str->at[0] = '\0';
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c != '"' && c != '\\';
}

/* Bytes up to the first that needs an escape, eight at a time: (x - 0x20) & ~x has the high bit of some byte
 * set exactly when some byte of x is below 0x20, and a byte equal to c is a zero byte of x ^ c. */
static size_t count_plain(const char *at, size_t len)
{
	const uint64_t ones = 0x0101010101010101u, highs = 0x80 * ones;
	size_t n = 0;

	for (; len - n >= sizeof(uint64_t); n += sizeof(uint64_t)) {
		uint64_t x, quote, slash;

		memcpy(&x, at + n, sizeof x);
		quote = x ^ '"' * ones;
		slash = x ^ '\\' * ones;
		if ((((x - 0x20 * ones) & ~x) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & highs)
			break;
	}
	while (n < len && is_plain((unsigned char)at[n]))
		n++;
	return n;
}

static void add_escape(struct str *str, unsigned char c)
{
	static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	char text[7] = {'\\'};

	for (const char *s = shorts; *s != '\0'; s += 2)
		if (*s == (char)c) {
			text[1] = s[1];
			str_add(str, text, 2);
			return;
		}
	snprintf(text + 1, sizeof text - 1, "u%04x", c);
	str_add(str, text, 6);
}

void str_json(struct str *str, const char *bytes, size_t len)
{
	size_t at = 0;

	grow(str, len + 2);
	str_putc(str, '"');
	for (;;) {
		size_t plain = count_plain(bytes + at, len - at);

		str_add(str, bytes + at, plain);
		at += plain;
		if (at == len)
			break;
		add_escape(str, (unsigned char)bytes[at++]);
	}
	str_putc(str, '"');
}

void str_json_text(struct str *str, const char *text)
{
	if (text == NULL)
		str_puts(str, "null");
	else
		str_json(str, text, strlen(text));
}

void str_json_member(struct str *str, const char *before, const char *text)
{
	str_puts(str, before);
	str_json_text(str, text);
}

void str_json_number(struct str *str, double number)
{
	char text[40];
	bool in_point = false;
	const char *c;

	if (!isfinite(number)) {
		str_puts(str, "null");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	/* What is no digit or sign is LC_NUMERIC's decimal point, of one byte or more. */
	for (c = text; *c != '\0' && *c != 'e'; c++) {
		bool is_point = strchr("-0123456789", *c) == NULL;

		if (!is_point)
			str_putc(str, *c);
		else if (!in_point)
			str_putc(str, '.');
		in_point = is_point;
	}
	if (*c == 'e')
		str_printf(str, "e%d", atoi(c + 1));
}
