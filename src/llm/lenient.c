/* SPDX-License-Identifier: ISC */
#include "llm/lenient.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const char replacement[] = "\xef\xbf\xbd";

/* The code unit of \uXXXX at `at`, or -1. */
static int unit(const char *at, size_t len)
{
	char digits[5] = "", *end;
	long code;

	if (len < 6 || at[0] != '\\' || at[1] != 'u')
		return -1;
	memcpy(digits, at + 2, 4);
	code = strtol(digits, &end, 16);
	return *end == '\0' && isxdigit((unsigned char)digits[0]) ? (int)code : -1;
}

/* An escape; how many bytes it has. */
static size_t put_escape(struct str *out, const char *at, size_t len)
{
	int first = unit(at, len), second;

	if (first < 0) {
		size_t n = len < 2 ? len : 2;

		str_add(out, at, n);
		return n;
	}
	if (first == 0)
		return 6;
	if (first < 0xd800 || first > 0xdfff) {
		str_add(out, at, 6);
		return 6;
	}
	second = first < 0xdc00 ? unit(at + 6, len - 6) : -1;
	if (second >= 0xdc00 && second <= 0xdfff) {
		str_add(out, at, 12);
		return 12;
	}
	str_puts(out, replacement);
	return 6;
}

/* The inside of a string up to its closing quote; how many bytes. */
static size_t put_string(struct str *out, const char *at, size_t len)
{
	size_t i = 0, plain;

	while (i < len && at[i] != '"') {
		if (at[i] == '\\') {
			i += put_escape(out, at + i, len - i);
			continue;
		}
		for (plain = 0; i + plain < len && at[i + plain] != '"' && at[i + plain] != '\\'; plain++)
			;
		utf8_clean(&(struct utf8_stream){.n_held = 0}, at + i, plain, true, out);
		i += plain;
	}
	return i;
}

/* A number from its first digit on: the digits of a fraction may be as many as they like. */
static size_t put_number(struct str *out, const char *at, size_t len)
{
	enum { SURE_DIGITS = 18 };
	size_t digits = 0, n;

	while (digits < len && isdigit((unsigned char)at[digits]))
		digits++;
	for (n = digits; n < len && (isdigit((unsigned char)at[n]) || memchr(".eE+-", at[n], 5) != NULL); n++)
		;
	str_add(out, at, n);
	if (digits > SURE_DIGITS && n == digits)
		str_puts(out, ".0");
	return n;
}

void lenient_clean(struct str *out, const char *text, size_t len)
{
	size_t i = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (i < len) {
		if (text[i] == '"') {
			str_putc(out, text[i++]);
			i += put_string(out, text + i, len - i);
			if (i < len)
				str_putc(out, text[i++]);
		} else if (isdigit((unsigned char)text[i])) {
			i += put_number(out, text + i, len - i);
		} else {
			str_putc(out, text[i++]);
		}
	}
}
