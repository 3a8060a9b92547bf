/* SPDX-License-Identifier: ISC
 * Promised: pieces in order that hold everything but white space, within their limits, never inside a
 * character, cut where a reader would cut; and linear time whatever the text. */
#include "core/chunk.h"

#include <stdlib.h>

#include "base/str.h"
#include "base/utf8.h"
#include "tap.h"

/* The pieces joined with "|". */
static const char *pieces(struct arena *arena, const char *text, size_t max_chars, size_t overlap)
{
	/* of its own size, so that a read behind it is seen */
	char *copy = malloc(strlen(text) + 1);
	struct chunk_walk walk = {.text = copy, .len = strlen(text), .max_chars = max_chars, .overlap = overlap};
	struct str *joined = str_new(arena);
	struct chunk chunk;

	copy = realloc(copy, walk.len > 0 ? walk.len : 1);
	walk.text = memcpy(copy, text, walk.len);
	while (chunk_next(&walk, &chunk)) {
		if (joined->len > 0)
			str_putc(joined, '|');
		str_add(joined, copy + chunk.at, chunk.len);
	}
	if (chunk_next(&walk, &chunk))
		str_puts(joined, "|not the end");
	free(copy);
	return joined->at;
}

static const struct {
	const char *text;
	size_t max_chars, overlap;
	const char *wanted;
} rows[] = {
	/* short or empty */
	{"", 10, 2, ""},
	{" \n\t ", 10, 2, ""},
	{"a", 10, 2, "a"},
	{"  a  ", 10, 2, "a"},
	{"0123456789", 10, 2, "0123456789"},
	{" 0123456789\n\n", 10, 2, "0123456789"},
	{"one two three", 100, 20, "one two three"},
	{"a\n\nb", 10, 2, "a\n\nb"},
	/* paragraph before line before word */
	{"aaaa bb\n\ncc dd ee", 12, 0, "aaaa bb|cc dd ee"},
	{"aaaa bb\ncc dd ee", 12, 0, "aaaa bb|cc dd ee"},
	{"aaaa bb cc dd ee", 12, 0, "aaaa bb cc|dd ee"},
	{"aaaa bb\n\ncc\ndd ee ff", 14, 0, "aaaa bb|cc\ndd ee ff"},
	{"aaaa bb\r\n\r\ncc dd ee", 12, 0, "aaaa bb|cc dd ee"},
	{"aaaa bb\n \t\ncc dd ee", 12, 0, "aaaa bb|cc dd ee"},
	{"aaaa bb\u3000\u3000cc dd ee", 12, 0, "aaaa bb\u3000\u3000cc|dd ee"},
	/* a paragraph too early does not leave a small piece */
	{"aa\n\nbbb ccc ddd eee", 12, 0, "aa\n\nbbb ccc|ddd eee"},
	{"aa\nbbb ccc ddd eee", 12, 0, "aa\nbbb ccc|ddd eee"},
	/* a word is cut only when the piece were too small without it */
	{"aaaa bbbbbbbbbbbbbbb", 12, 0, "aaaa|bbbbbbbbbbbb|bbb"},
	{"aa bbbbbbbbbbbbbbb", 12, 0, "aa bbbbbbbbb|bbbbbb"},
	{"aaaa\nbbbb bbbbbbbbb", 12, 0, "aaaa\nbbbb|bbbbbbbbb"},
	/* the limit falls on the white space */
	{"aaaaa bbbbb ccccc", 11, 0, "aaaaa bbbbb|ccccc"},
	{"aaaaa bbbbb ccccc", 10, 0, "aaaaa|bbbbb|ccccc"},
	/* no break to be had */
	{"abcdefghijklmnop", 5, 0, "abcde|fghij|klmno|p"},
	{"éééééééé", 3, 0, "ééé|ééé|éé"},
	{"日本語日本語", 4, 0, "日本語日|本語"},
	{"😀😀😀", 1, 0, "😀|😀|😀"},
	{"a bcdefghij", 6, 0, "a bcde|fghij"},
	/* marks stay with their letter */
	{"aaaae\u0301bbb", 5, 0, "aaaa|e\u0301bbb"},
	{"aaae\u0301\u0302bbb", 5, 0, "aaa|e\u0301\u0302bb|b"},
	{"e\u0301\u0302\u0303\u0301\u0302\u0303", 3, 0, "e\u0301\u0302|\u0303\u0301\u0302|\u0303"},
	{"กกกกที่กก", 5, 0, "กกกก|ที่กก"},
	/* overlap from a word's begin */
	{"aaa bbb ccc ddd eee", 11, 5, "aaa bbb ccc|ccc ddd eee"},
	{"aaa bbb ccc ddd eee", 11, 3, "aaa bbb ccc|ccc ddd eee"},
	{"aaa bbb ccc ddd eee", 11, 2, "aaa bbb ccc|ddd eee"},
	{"aaa bb cc ddd eee", 9, 4, "aaa bb cc|cc ddd|ddd eee"},
	{"aaaaaa bb\n\ncc dddddd", 12, 2, "aaaaaa bb|bb\n\ncc|cc dddddd"},
	{"aaaaaaaaaa bbbbbbbbbb", 12, 4, "aaaaaaaaaa|bbbbbbbbbb"},
	/* overlap by characters where there are no spaces */
	{"abcdefghijklmnop", 6, 2, "abcdef|efghij|ijklmn|mnop"},
	{"日本語日本語日本", 4, 1, "日本語日|日本語日|日本"},
	{"abcdefghe\u0301ijklmn", 10, 1, "abcdefghe\u0301|ijklmn"},
	/* an overlap too large is cut down, and much white space leaves none */
	{"abcdefgh", 4, 100, "abcd|cdef|efgh"},
	{"abcdefgh", 1, 1, "a|b|c|d|e|f|g|h"},
	{"aaa bbb          ccc", 7, 3, "aaa bbb|ccc"},
	{"abc", 0, 0, "a|b|c"},
	{"ab cd", 2, 1, "ab|cd"},
};

static void test_rows(struct arena *arena)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		is_text(pieces(arena, rows[i].text, rows[i].max_chars, rows[i].overlap), rows[i].wanted,
			rows[i].text[0] == '\0' || strchr(rows[i].text, '\n') ? "a row with lines" : rows[i].text);
}

static bool is_space(const char *at, size_t len)
{
	static const char *const spaces[] = {
		" ", "\t", "\n", "\v", "\f", "\r", "\xc2\x85", "\u00a0", "\u2003", "\u2028", "\u3000"};

	for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
		if (strlen(spaces[i]) == len && memcmp(spaces[i], at, len) == 0)
			return true;
	return false;
}

static size_t bytes_at(const char *text, size_t len, size_t at)
{
	uint32_t code;
	int n = utf8_read(text + at, len - at, &code);

	return n > 0 ? (size_t)n : 1;
}

static size_t count_chars(const char *text, size_t from, size_t to)
{
	size_t chars = 0;

	for (; from < to; from++)
		chars += (text[from] & 0xC0) != 0x80;
	return chars;
}

static bool is_all_space(const char *text, size_t from, size_t to)
{
	while (from < to) {
		size_t n = bytes_at(text, to, from);

		if (!is_space(text + from, n))
			return false;
		from += n;
	}
	return true;
}

static bool is_edge(const char *text, size_t len, size_t at)
{
	return at == len || (text[at] & 0xC0) != 0x80;
}

static size_t last_char(const char *text, size_t end)
{
	do
		end--;
	while ((text[end] & 0xC0) == 0x80);
	return end;
}

/* What is wrong with this piece after the one before, or NULL. */
static const char *fault_of(
	const char *text, size_t len, const struct chunk_walk *asked, struct chunk now, struct chunk before)
{
	size_t end = now.at + now.len, end_before = before.at + before.len;
	size_t last;

	if (now.len == 0 || end > len)
		return "it is empty or beyond the end";
	if (!is_edge(text, len, now.at) || !is_edge(text, len, end))
		return "it cuts a character";
	if (count_chars(text, now.at, end) > (asked->max_chars > 0 ? asked->max_chars : 1))
		return "it is too long";
	last = last_char(text, end);
	if (is_space(text + now.at, bytes_at(text, len, now.at)) || is_space(text + last, end - last))
		return "it is not trimmed";
	if (before.len > 0 && now.at <= before.at)
		return "it begins too early";
	if (end <= end_before)
		return "it brings nothing new";
	if (now.at > end_before && !is_all_space(text, end_before, now.at))
		return "something is left out";
	if (now.at < end_before && count_chars(text, now.at, end_before) > asked->overlap)
		return "it overlaps too far";
	return NULL;
}

static const char *fault_of_all(const char *text, size_t len, const struct chunk_walk *asked)
{
	struct chunk_walk walk = *asked;
	struct chunk now, before = {0, 0};
	size_t n = 0;

	while (chunk_next(&walk, &now)) {
		const char *fault = fault_of(text, len, asked, now, before);

		if (fault != NULL)
			return fault;
		if (n++ > 8 * len)
			return "there is no end to it";
		before = now;
	}
	return is_all_space(text, before.at + before.len, len) ? NULL : "the end is left out";
}

static unsigned seed = 20260101;

static unsigned below(unsigned limit)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

/* Each text favours some characters, so that runs of all kinds come about. */
static void make_text(struct str *text)
{
	static const char *const chars[] = {"a", "b", "é", "漢", "😀", "\u0301", "\ufe0f", " ", " ", "\n", "\n\n",
		"\r\n", "\u3000", "\u00a0", "\t", "."};
	enum { N = sizeof chars / sizeof *chars };
	unsigned favourite = below(N), share = 1 + below(20), n = below(200);

	str_clear(text);
	for (unsigned i = 0; i < n; i++) {
		str_puts(text, chars[below(share) == 0 ? below(N) : favourite]);
		if (below(40) == 0)
			favourite = below(N);
	}
}

static void test_properties(struct arena *arena)
{
	struct str *text = str_new(arena);
	int wrong = 0;

	for (int i = 0; i < 60000; i++) {
		struct chunk_walk asked = {.max_chars = 1 + below(below(2) ? 8 : 60), .overlap = below(30)};
		const char *fault;

		make_text(text);
		asked.text = text->at;
		asked.len = text->len;
		fault = fault_of_all(text->at, text->len, &asked);
		if (fault != NULL && wrong++ < 5) {
			printf("# %s: at most %zu, overlap %zu\n", fault, asked.max_chars, asked.overlap);
			tap_bytes("text", text->at, text->len);
		}
	}
	is_int(wrong, 0, "60000 random texts: order, coverage, limits, characters");
}

/* Prose is cut between words only, into pieces at least half full, and neighbours overlap. */
static void test_prose(struct arena *arena)
{
	struct str *text = str_new(arena);
	struct chunk_walk walk;
	struct chunk chunk, before = {0, 0};
	size_t n = 0, small = 0, torn = 0, apart = 0;

	for (int i = 0; i < 50000; i++)
		str_printf(text, "%.*s%s", 1 + (int)below(10), "wordwordword",
			below(200) == 0  ? "\n\n"
			: below(40) == 0 ? "\n"
					 : " ");
	walk = (struct chunk_walk){.text = text->at, .len = text->len, .max_chars = 1000, .overlap = 20};
	while (chunk_next(&walk, &chunk)) {
		size_t end = chunk.at + chunk.len;

		n++;
		small += chunk.len < 500 && end < walk.len;
		torn += end < walk.len && !is_space(text->at + end, 1);
		torn += chunk.at > 0 && !is_space(text->at + chunk.at - 1, 1);
		apart += n > 1 && chunk.at >= before.at + before.len;
		before = chunk;
	}
	ok(n > 300 && n < 800, "%zu pieces of prose", n);
	is_int((intmax_t)small, 0, "none less than half full");
	is_int((intmax_t)torn, 0, "none within a word");
	is_int((intmax_t)apart, 0, "each overlaps its neighbour");
}

static void is_linear(const char *unit, size_t last, size_t max_chars, size_t overlap, const char *name)
{
	const size_t len = (TAP_SLOWER > 1 ? 2u : 8u) << 20, unit_len = strlen(unit);
	char *text = malloc(len);
	struct chunk_walk walk = {.text = text, .len = len, .max_chars = max_chars, .overlap = overlap};
	struct chunk chunk;
	size_t n = 0;
	double since_s;

	for (size_t i = 0; i + unit_len <= len; i += unit_len)
		memcpy(text + i, unit, unit_len);
	memset(text + len - len % unit_len - last, 'z', last + len % unit_len);
	since_s = tap_cpu_s();
	while (chunk_next(&walk, &chunk))
		n++;
	is_quick(since_s, 5, name);
	printf("# %zu pieces\n", n);
	free(text);
}

static void test_linear(void)
{
	char paragraph[4000];

	is_linear("a", 0, 1000, 20, "8 MiB of one letter");
	is_linear("\n", 0, 1000, 20, "8 MiB of newlines");
	is_linear("\n", 1, 1000, 20, "8 MiB of newlines and a letter");
	is_linear(" ", 1, 1000, 500, "8 MiB of spaces and a letter");
	is_linear("a ", 0, 1000, 20, "8 MiB of words of one letter");
	is_linear("a\n\n", 0, 1000, 999, "8 MiB of small paragraphs, all to overlap");
	is_linear("a", 0, 1000, 999, "8 MiB of one letter, all to overlap");
	is_linear("漢", 0, 1000, 20, "8 MiB of Han");
	is_linear("\u0301", 0, 1000, 500, "8 MiB of combining marks");
	is_linear("a", 0, 1, 0, "8 MiB in pieces of one character");
	is_linear("a b", 0, 2, 1, "8 MiB in pieces of two");
	is_linear("a", 0, (size_t)1 << 40, 20, "8 MiB in one piece");
	memset(paragraph, ' ', sizeof paragraph - 1);
	paragraph[0] = 'a';
	paragraph[600] = '\n';
	paragraph[sizeof paragraph - 1] = '\0';
	is_linear(paragraph, 0, 1000, 500, "8 MiB of letters far apart");
}

int main(void)
{
	struct arena *arena = arena_new();

	test_rows(arena);
	test_properties(arena);
	test_prose(arena);
	arena_free(arena);
	test_linear();
	return done_testing();
}
