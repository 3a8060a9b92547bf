/* SPDX-License-Identifier: ISC
 * Promised: growing text that stays whole, JSON strings as PostgreSQL writes them, numbers that read back, in
 * any locale. */
#include "base/str.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "tap.h"

static void test_growth(struct arena *arena)
{
	struct str *str = str_new(arena), *other = str_new(arena);
	bool is_whole = true;

	is_text(str->at, "", "a new text is empty");
	str_clear(str);
	str_add(str, NULL, 0);
	is_text(str->at, "", "and stays so when cleared or given nothing");
	for (int i = 0; i < 100000; i++) {
		str_putc(str, (char)('a' + i % 26));
		is_whole &= str->at[str->len] == '\0';
	}
	for (size_t i = 0; i < 100000; i++)
		is_whole &= str->at[i] == (char)('a' + i % 26);
	ok(is_whole && str->len == 100000, "100000 appended characters are there, ended at each step");
	str_clear(str);
	is_text(str->at, "", "cleared");
	str_add(str, "a\0b", 3);
	is_bytes(str->at, str->len, "a\0b", 3, "any bytes");
	is_text(other->at, "", "another text is another text");
}

static void test_printf(struct arena *arena)
{
	struct str *str = str_new(arena);
	bool is_whole = true;

	str_printf(str, "%s", "");
	is_text(str->at, "", "str_printf of nothing");
	for (int len = 0; len < 300; len++) {
		str_clear(str);
		str_puts(str, "ab");
		str_printf(str, "%*s|", len, "");
		is_whole &= str->len == (size_t)len + 3 && str->at[str->len - 1] == '|' && str->at[str->len] == '\0';
	}
	ok(is_whole, "str_printf fits whatever room there was");
	str_printf(str, "%100000d", 5);
	is_int((intmax_t)str->len, 302 + 100000, "str_printf of much");
}

#define T(text) text, sizeof(text) - 1

static void test_json(struct arena *arena)
{
	static const struct {
		const char *text;
		size_t len;
		const char *wanted;
	} rows[] = {
		{T(""), "\"\""},
		{T("plain text"), "\"plain text\""},
		{T("\""), "\"\\\"\""},
		{T("\\"), "\"\\\\\""},
		{T("a/b"), "\"a/b\""},
		{T("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
		{T("\x01\x1f\x0b"), "\"\\u0001\\u001f\\u000b\""},
		{T("a\0b"), "\"a\\u0000b\""},
		{T("\x7f"), "\"\x7f\""},
		{T("é漢😀\u2028"), "\"é漢😀\u2028\""},
		{T("1234567\"1234567\\12345678"), "\"1234567\\\"1234567\\\\12345678\""},
		{T("'&<>"), "\"'&<>\""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str *str = str_new(arena);

		str_json(str, rows[i].text, rows[i].len);
		is_text(str->at, rows[i].wanted, rows[i].wanted);
	}
}

/* Each byte at each place of a word of eight: the fast scan must see it wherever it stands. */
static void test_json_places(struct arena *arena)
{
	struct str *str = str_new(arena);
	bool is_right = true;

	for (int byte = 0; byte < 256; byte++)
		for (size_t place = 0; place < 20; place++) {
			char text[20];
			bool needs = byte < 0x20 || byte == '"' || byte == '\\';

			memset(text, place % 2 ? 0xFF : 'x', sizeof text);
			text[place] = (char)byte;
			str_clear(str);
			str_json(str, text, sizeof text);
			is_right &= needs == (str->at[1 + place] == '\\');
			is_right &= needs || str->len == sizeof text + 2;
			is_right &= memcmp(str->at + 1, text, place) == 0;
		}
	ok(is_right, "every byte at every place of a word");
}

static void test_json_speed(struct arena *arena)
{
	enum { LEN = 64 * 1024 * 1024 };
	struct str *str = str_new(arena);
	char *text = malloc(LEN);
	double since_s;

	memset(text, 'a', LEN);
	since_s = tap_cpu_s();
	str_json(str, text, LEN);
	is_quick(since_s, 1, "64 MiB of text as JSON");
	free(text);
}

static const struct {
	double number;
	const char *wanted;
} numbers[] = {
	{0, "0"},
	{-0.0, "-0"},
	{20, "20"},
	{-1, "-1"},
	{100, "100"},
	{0.25, "0.25"},
	{0.1, "0.1"},
	{0.7, "0.7"},
	{1e-7, "1e-7"},
	{-1.5e-10, "-1.5e-10"},
	{0.0001, "0.0001"},
	{1e14, "100000000000000"},
	{999999999999999, "999999999999999"},
	{1e15, "1e15"},
	{1e20, "1e20"},
	{1e100, "1e100"},
	{1234567890123456, "1234567890123456"},
	{9007199254740993, "9007199254740992"},
	{0.1 + 0.2, "0.30000000000000004"},
	{1.0 / 3, "0.3333333333333333"},
	{1.7976931348623157e308, "1.7976931348623157e308"},
	{NAN, "null"},
	{INFINITY, "null"},
	{-INFINITY, "null"},
};

static void test_numbers(struct arena *arena, const char *where)
{
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct str *str = str_new(arena);

		str_json_number(str, numbers[i].number);
		is_text(str->at, numbers[i].wanted, arena_printf(arena, "%s%s", numbers[i].wanted, where));
	}
}

/* Read back in the C locale, as any reader does. */
static void test_read_back(struct arena *arena)
{
	struct str *str = str_new(arena);
	uint64_t bits = 88172645463325252u;
	int wrong = 0;

	for (int i = 0; i < 200000; i++) {
		double number, again;

		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		memcpy(&number, &bits, sizeof number);
		if (!isfinite(number))
			continue;
		str_clear(str);
		str_json_number(str, number);
		again = strtod(str->at, NULL);
		wrong += memcmp(&again, &number, sizeof number) != 0;
	}
	is_int(wrong, 0, "200000 random numbers read back the same");
}

/* There may be no locale with a comma here, and then the C locale's result is all that can be seen. */
static void test_locale(struct arena *arena)
{
	static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ps_AF.UTF-8"};
	const char *found = NULL;

	for (size_t i = 0; found == NULL && i < sizeof names / sizeof *names; i++)
		found = setlocale(LC_NUMERIC, names[i]);
	if (found == NULL) {
		ok(true, "numbers in a locale with a comma # SKIP no such locale");
		return;
	}
	test_numbers(arena, " with a decimal comma");
	setlocale(LC_NUMERIC, "C");
}

int main(void)
{
	struct arena *arena = arena_new();
	struct str *str = str_new(arena);

	test_growth(arena);
	test_printf(arena);
	test_json(arena);
	test_json_places(arena);
	test_json_speed(arena);
	test_numbers(arena, "");
	test_read_back(arena);
	test_locale(arena);
	str_json_text(str, NULL);
	str_json_text(str, "a");
	is_text(str->at, "null\"a\"", "a missing text is null");
	arena_free(arena);
	return done_testing();
}
