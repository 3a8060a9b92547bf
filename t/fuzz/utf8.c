/* SPDX-License-Identifier: ISC
 * All of base/utf8.h against a second, plain reading of Unicode's table 3-7, and cleaning in pieces against cleaning
 * whole. */
#include "base/utf8.h"

#include "fuzz.h"

/* Bytes of the character at `at`, or 0. */
static size_t plain_read(const unsigned char *at, size_t len, uint32_t *code)
{
	size_t n = len == 0       ? 0
		   : at[0] < 0x80 ? 1
		   : at[0] < 0xC0 ? 0
		   : at[0] < 0xE0 ? 2
		   : at[0] < 0xF0 ? 3
		   : at[0] < 0xF8 ? 4
				  : 0;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	if (n == 0 || n > len)
		return 0;
	*code = n == 1 ? at[0] : at[0] & (0x7F >> n);
	for (size_t i = 1; i < n; i++) {
		if (at[i] < 0x80 || at[i] > 0xBF)
			return 0;
		*code = *code << 6 | (at[i] & 0x3F);
	}
	return *code < least[n] || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF) ? 0 : n;
}

/* Whether all is valid; each character read, and written again, is itself. */
static bool check_characters(struct arena *arena, const char *text, size_t len)
{
	struct str *written = str_new(arena);
	bool valid = true;
	size_t at = 0;

	while (at < len) {
		uint32_t code = 0, plain_code = 0;
		size_t n = plain_read((const unsigned char *)text + at, len - at, &plain_code);

		must(utf8_read(text + at, len - at, &code) == (int)n);
		must(n == 0 || code == plain_code);
		valid = valid && n > 0;
		if (n > 0)
			utf8_put(written, code);
		at += n > 0 ? n : 1;
	}
	must(!valid || (written->len == len && (len == 0 || memcmp(written->at, text, len) == 0)));
	return valid;
}

static void check_cuts(const char *text, size_t len)
{
	uint32_t code;

	for (size_t max = 0; max <= len && max < 200; max++) {
		size_t cut = utf8_cut(text, len, max);

		must(cut <= max && max - cut < 4);
		must(utf8_valid(text, cut));
		/* the longest: no more whole characters fit */
		must(cut == len || cut + (size_t)utf8_read(text + cut, len - cut, &code) > max);
	}
}

static void check_cleaned(struct arena *arena, const char *text, size_t len, bool valid)
{
	struct str *whole = str_new(arena), *pieces = str_new(arena);
	struct utf8_stream one = {.n_held = 0}, many = {.n_held = 0};
	struct cuts cuts = cuts_of(text, len);
	size_t n;

	utf8_clean(&one, text, len, true, whole);
	for (size_t at = 0; at < len; at += n) {
		char *piece;

		n = next_cut(&cuts, len - at);
		piece = exact(text + at, n);
		utf8_clean(&many, piece, n, false, pieces);
		must(utf8_valid(pieces->at, pieces->len));
		free(piece);
	}
	utf8_clean(&many, "", 0, true, pieces);
	must(same_text(whole, pieces));
	must(utf8_valid(whole->at, whole->len) && memchr(whole->at, '\0', whole->len) == NULL);
	if (valid && (len == 0 || memchr(text, '\0', len) == NULL))
		must(whole->len == len && (len == 0 || memcmp(whole->at, text, len) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes;
	struct arena *arena = arena_new();
	bool valid = check_characters(arena, text, len);

	must(utf8_valid(text, len) == valid);
	if (valid)
		check_cuts(text, len);
	check_cleaned(arena, text, len, valid);
	arena_free(arena);
	return 0;
}
