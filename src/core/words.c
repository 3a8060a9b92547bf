/* SPDX-License-Identifier: ISC
 * Character pairs for scripts written without spaces.  A search for a word then finds its pairs side by side;
 * no dictionary is needed, and index and question are cut alike. */
#include "core/words.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/utf8.h"

/* A letter of such a script.  Its digits and punctuation are not: those to_tsvector() handles. */
static bool is_unspaced(uint32_t code)
{
	static const uint32_t ranges[][2] = {
		{0x0E01, 0x0E3A}, {0x0E40, 0x0E4E},                                     /* Thai */
		{0x0E81, 0x0ECE}, {0x0EDC, 0x0EDF},                                     /* Lao */
		{0x1000, 0x103F}, {0x1050, 0x108F},                                     /* Myanmar */
		{0x1780, 0x17D3}, {0x17D7, 0x17D7}, {0x17DC, 0x17DD},                   /* Khmer */
		{0x2E80, 0x2FD5}, {0x3005, 0x3007}, {0x3021, 0x3029}, {0x303B, 0x303B}, /* Han */
		{0x3041, 0x309F}, {0x30A1, 0x30FA}, {0x30FC, 0x30FF}, {0x31F0, 0x31FF}, /* Kana */
		{0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xF900, 0xFAFF},                   /* Han */
		{0xFF66, 0xFF9F},                                                       /* half-width Kana */
		{0x1AFF0, 0x1B16F}, {0x20000, 0x3FFFD},                                 /* Kana, Han */
	};

	if (code < ranges[0][0])
		return false;
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (code <= ranges[i][1])
			return code >= ranges[i][0];
	return false;
}

/* Bytes of the character of such a script at `at`, or 0. */
static size_t unspaced_bytes(const char *at, size_t len)
{
	uint32_t code;
	int n = utf8_read(at, len, &code);

	return n > 0 && is_unspaced(code) ? (size_t)n : 0;
}

static void add_word(struct str *out, const char *word, size_t len)
{
	str_putc(out, ' ');
	str_add(out, word, len);
}

/* The run at `text`, whose first character has `first` bytes, as pairs; its length in bytes. */
static size_t add_pairs(struct str *out, const char *text, size_t len, size_t first)
{
	size_t at = 0, n = first, next;

	while ((next = unspaced_bytes(text + at + n, len - at - n)) > 0) {
		add_word(out, text + at, n + next);
		at += n;
		n = next;
	}
	if (at == 0)
		add_word(out, text, n);
	str_putc(out, ' ');
	return at + n;
}

void words_prepare(struct str *out, const char *text, size_t len)
{
	size_t from = 0, at = 0;

	while (at < len) {
		/* below E0 are ASCII and all that has two bytes, none of it of interest */
		size_t n = (unsigned char)text[at] < 0xE0 ? 0 : unspaced_bytes(text + at, len - at);

		if (n == 0) {
			at++;
			continue;
		}
		str_add(out, text + from, at - from);
		at += add_pairs(out, text + at, len - at, n);
		from = at;
	}
	str_add(out, text + from, len - from);
}
