/* SPDX-License-Identifier: ISC
 * Promised: Unicode's table 3-7 to the letter, cuts between characters, and one cleaning whatever the pieces.
 */
#include "base/utf8.h"

#include <stdlib.h>

#include "tap.h"

#define T(text) text, sizeof(text) - 1

static const struct {
	const char *text;
	size_t len;
	int bytes;
	uint32_t code;
	const char *name;
} chars[] = {
	{T(""), 0, 0, "nothing"},
	{T("\0"), 1, 0, "NUL"},
	{T("a"), 1, 'a', "a letter"},
	{T("\x7f"), 1, 0x7F, "last of one byte"},
	{T("\x80"), 0, 0, "a continuation alone"},
	{T("\xbf"), 0, 0, "the last continuation alone"},
	{T("\xc0\x80"), 0, 0, "overlong NUL"},
	{T("\xc1\xbf"), 0, 0, "overlong of two"},
	{T("\xc2\x80"), 2, 0x80, "first of two"},
	{T("\xdf\xbf"), 2, 0x7FF, "last of two"},
	{T("\xc2"), 0, 0, "two cut to one"},
	{T("\xc2\x7f"), 0, 0, "two with ASCII inside"},
	{T("\xc2\xc0"), 0, 0, "two with a lead inside"},
	{T("\xe0\x9f\xbf"), 0, 0, "overlong of three"},
	{T("\xe0\xa0\x80"), 3, 0x800, "first of three"},
	{T("\xed\x9f\xbf"), 3, 0xD7FF, "last before the surrogates"},
	{T("\xed\xa0\x80"), 0, 0, "first surrogate"},
	{T("\xed\xbf\xbf"), 0, 0, "last surrogate"},
	{T("\xee\x80\x80"), 3, 0xE000, "first after the surrogates"},
	{T("\xef\xbf\xbd"), 3, 0xFFFD, "the replacement character"},
	{T("\xef\xbf\xbf"), 3, 0xFFFF, "last of three"},
	{T("\xe2\x82"), 0, 0, "three cut to two"},
	{T("\xe2\x82\x41"), 0, 0, "three with ASCII at the end"},
	{T("\xf0\x8f\xbf\xbf"), 0, 0, "overlong of four"},
	{T("\xf0\x90\x80\x80"), 4, 0x10000, "first of four"},
	{T("\xf4\x8f\xbf\xbf"), 4, 0x10FFFF, "last of all"},
	{T("\xf4\x90\x80\x80"), 0, 0, "beyond the last"},
	{T("\xf5\x80\x80\x80"), 0, 0, "F5"},
	{T("\xf8\x88\x80\x80\x80"), 0, 0, "five bytes"},
	{T("\xff"), 0, 0, "FF"},
	{T("\xfe"), 0, 0, "FE"},
	{T("\xf0\x90\x80"), 0, 0, "four cut to three"},
};

static void test_read(void)
{
	for (size_t i = 0; i < sizeof chars / sizeof *chars; i++) {
		/* of its own size, so that a read behind it is seen */
		char *copy = malloc(chars[i].len + (chars[i].len == 0));
		uint32_t code = 0;

		memcpy(copy, chars[i].text, chars[i].len);
		is_int(utf8_read(copy, chars[i].len, &code), chars[i].bytes, chars[i].name);
		if (chars[i].bytes > 0)
			is_int(code, chars[i].code, "its code point");
		is_int(utf8_valid(copy, chars[i].len), chars[i].bytes > 0 || chars[i].len == 0, "its validity");
		free(copy);
	}
}

static void test_round_trip(struct arena *arena)
{
	struct str *str = str_new(arena);
	bool is_same = true;

	for (uint32_t code = 0; code <= 0x10FFFF; code++) {
		uint32_t again = ~code;

		if (code == 0xD800)
			code = 0xE000;
		str_clear(str);
		utf8_put(str, code);
		is_same &= utf8_read(str->at, str->len, &again) == (int)str->len && again == code;
	}
	ok(is_same, "every code point, written and read");
}

static void test_valid(void)
{
	char text[40];
	bool is_right = true;

	ok(utf8_valid("", 0), "nothing is valid");
	ok(utf8_valid("a\0b", 3), "NUL is valid");
	for (size_t place = 0; place < sizeof text; place++) {
		memset(text, 'x', sizeof text);
		text[place] = '\xff';
		is_right &= !utf8_valid(text, sizeof text) && utf8_valid(text, place);
	}
	ok(is_right, "a wrong byte is seen at every place");
}

static void test_cut(void)
{
	static const char text[] = "aé漢😀";
	static const size_t wanted[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10, 10};

	for (size_t max = 0; max < sizeof wanted / sizeof *wanted; max++)
		is_int((intmax_t)utf8_cut(text, sizeof text - 1, max), (intmax_t)wanted[max], "utf8_cut");
	is_int((intmax_t)utf8_cut("", 0, 5), 0, "utf8_cut of nothing");
	is_int((intmax_t)utf8_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 5, "utf8_cut of no UTF-8 ends");
	is_int((intmax_t)utf8_cut("\x80\x80", 2, 1), 1, "utf8_cut of two continuations");
}

#define FFFD "\xef\xbf\xbd"

static const struct {
	const char *text;
	size_t len;
	const char *wanted;
} unclean[] = {
	{T(""), ""},
	{T("plain"), "plain"},
	{T("aé漢😀z"), "aé漢😀z"},
	{T("a\0b"), "ab"},
	{T("\0"), ""},
	{T("\xff"), FFFD},
	{T("a\x80z"), "a" FFFD "z"},
	{T("\xc0\xaf"), FFFD FFFD},
	{T("\xe0\x80\xaf"), FFFD FFFD FFFD},
	{T("\xf0\x80\x80\xaf"), FFFD FFFD FFFD FFFD},
	{T("\xed\xa0\x80"), FFFD FFFD FFFD},
	{T("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42"), FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B"},
	{T("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), FFFD FFFD FFFD FFFD "A"},
	{T("\xe2\x82"), FFFD},
	{T("\xe2\x82z"), FFFD "z"},
	{T("\xe2\x82\xe2\x82\xac"), FFFD "€"},
	{T("\xf0\x9f\x98\0\x80"), FFFD FFFD},
	{T("\xf0\x9f\x98"), FFFD},
	{T("\xf0\x9f"), FFFD},
	{T("\xf0"), FFFD},
	{T("é\xc3"), "é" FFFD},
	{T("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
	{T("\xef\xbb\xbf"), "\xef\xbb\xbf"},
	{T("\xfe\xff\0a"), FFFD FFFD "a"},
};

static void clean_split(struct str *out, const char *text, size_t len, size_t first, size_t second)
{
	struct utf8_stream stream = {0};

	str_clear(out);
	utf8_clean(&stream, text, first, false, out);
	utf8_clean(&stream, text + first, second - first, false, out);
	utf8_clean(&stream, text + second, len - second, true, out);
}

static void test_clean(struct arena *arena)
{
	struct str *out = str_new(arena);

	for (size_t i = 0; i < sizeof unclean / sizeof *unclean; i++) {
		bool is_same = true;
		size_t len = unclean[i].len;

		clean_split(out, unclean[i].text, len, 0, 0);
		is_text(out->at, unclean[i].wanted, "utf8_clean of the whole");
		for (size_t first = 0; first <= len; first++)
			for (size_t second = first; second <= len; second++) {
				clean_split(out, unclean[i].text, len, first, second);
				is_same &= strcmp(out->at, unclean[i].wanted) == 0;
			}
		ok(is_same, "the same in any three pieces");
	}
}

static void test_clean_random(struct arena *arena)
{
	static const char bytes[] = "\x00\x41\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc2\xdf\xe0\xe1\xed\xef\xf0\xf1\xf4\xf5";
	struct str *whole = str_new(arena), *pieces = str_new(arena);
	unsigned seed = 1;
	int wrong = 0;

	for (int i = 0; i < 20000; i++) {
		struct utf8_stream stream = {0};
		char text[24];

		for (size_t k = 0; k < sizeof text; k++) {
			seed = seed * 1103515245 + 12345;
			text[k] = bytes[(seed >> 16) % (sizeof bytes - 1)];
		}
		clean_split(whole, text, sizeof text, 0, 0);
		str_clear(pieces);
		for (size_t k = 0; k < sizeof text; k++)
			utf8_clean(&stream, text + k, 1, k + 1 == sizeof text, pieces);
		wrong += !utf8_valid(whole->at, whole->len) || strlen(whole->at) != whole->len ||
			 strcmp(whole->at, pieces->at) != 0;
	}
	is_int(wrong, 0, "20000 random texts: clean, and the same byte by byte");
}

static void test_speed(struct arena *arena)
{
	enum { LEN = 16 * 1024 * 1024 };
	struct utf8_stream stream = {0};
	struct str *out = str_new(arena);
	char *text = malloc(LEN);
	double since_s;

	memset(text, 0xE2, LEN);
	since_s = tap_cpu_s();
	utf8_clean(&stream, text, LEN, true, out);
	is_quick(since_s, 1, "16 MiB of wrong bytes cleaned");
	is_int((intmax_t)out->len, 3 * (intmax_t)LEN, "each became U+FFFD");
	free(text);
}

int main(void)
{
	struct arena *arena = arena_new();

	test_read();
	test_round_trip(arena);
	test_valid();
	test_cut();
	test_clean(arena);
	test_clean_random(arena);
	test_speed(arena);
	arena_free(arena);
	return done_testing();
}
