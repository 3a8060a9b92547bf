/* SPDX-License-Identifier: ISC
 * Where to cut.  A piece begins at a character that is not white space; one pass over at most max_chars
 * characters finds the breaks that leave it reasonably full.  Linear time rests on one promise: with the
 * white space behind it, every piece gets on by a sixteenth of max_chars, or by one character, at least. */
#include "core/chunk.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/utf8.h"

/* What a run of white space separates, the least first. */
enum rank { WORDS, LINES, PARAGRAPHS, N_RANKS };

/* Where a piece may end. */
struct ends {
	size_t best[N_RANKS]; /* the last break of a rank that leaves the piece full enough; 0 = none */
	size_t full;          /* from here on it is half full */
	size_t limit;         /* behind max_chars characters, or the end of the text */
};

static size_t read_char(const struct chunk_walk *walk, size_t at, uint32_t *code)
{
	int n = utf8_read(walk->text + at, walk->len - at, code);

	if (n > 0)
		return (size_t)n;
	*code = 0xFFFD;
	return 1;
}

static size_t step_back(const char *text, size_t at)
{
	size_t from = at;

	do
		at--;
	while (at > 0 && from - at < 4 && (text[at] & 0xC0) == 0x80);
	return at;
}

static bool is_space(uint32_t code)
{
	if (code < 0x80)
		return code == ' ' || (code >= '\t' && code <= '\r');
	return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
	       code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

/* What should stay with the character before it: accents, vowel signs, variation selectors, joiners. */
static bool is_mark(uint32_t code)
{
	static const uint32_t ranges[][2] = {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A},
		{0x064B, 0x065F}, {0x06D6, 0x06DC}, {0x0900, 0x0903}, {0x093A, 0x094D}, {0x0981, 0x0983},
		{0x09BC, 0x09CD}, {0x0B82, 0x0B82}, {0x0BBE, 0x0BCD}, {0x0E31, 0x0E31}, {0x0E33, 0x0E3A},
		{0x0E47, 0x0E4E}, {0x0EB1, 0x0EB1}, {0x0EB3, 0x0EBC}, {0x0EC8, 0x0ECE}, {0x102B, 0x103E},
		{0x17B4, 0x17D3}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200D, 0x200D}, {0x20D0, 0x20FF},
		{0x302A, 0x302F}, {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0x1F3FB, 0x1F3FF},
		{0xE0100, 0xE01EF}};

	if (code < ranges[0][0])
		return false;
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (code >= ranges[i][0] && code <= ranges[i][1])
			return true;
	return false;
}

static size_t skip_space(const struct chunk_walk *walk, size_t at)
{
	uint32_t code;

	while (at < walk->len) {
		size_t n = read_char(walk, at, &code);

		if (!is_space(code))
			break;
		at += n;
	}
	return at;
}

/* The end of text[start..end) without the white space at its end. */
static size_t trim_end(const char *text, size_t start, size_t end)
{
	while (end > start) {
		size_t at = step_back(text, end);
		uint32_t code;

		if (utf8_read(text + at, end - at, &code) == 0 || !is_space(code))
			break;
		end = at;
	}
	return end;
}

/* What the white space that begins at `at` separates. */
static enum rank rank_break(const struct chunk_walk *walk, size_t at)
{
	enum rank rank = WORDS;
	uint32_t code;

	while (at < walk->len && rank < PARAGRAPHS) {
		at += read_char(walk, at, &code);
		if (!is_space(code))
			break;
		rank += code == '\n';
	}
	return rank;
}

/* Full enough is half of what this piece can hold beyond the text that the one before held already; a quarter
 * when otherwise a word would be cut. */
static struct ends find_ends(const struct chunk_walk *walk, size_t start, size_t max_chars)
{
	struct ends ends = {0};
	size_t at = start, chars = 0, half = SIZE_MAX, quarter = SIZE_MAX;
	bool after_space = false;

	for (;; chars++) {
		uint32_t code = ' ';
		size_t n = at < walk->len ? read_char(walk, at, &code) : 0;
		bool space = is_space(code);

		if (half == SIZE_MAX && at >= walk->floor && !space) {
			size_t fresh = max_chars - chars;

			half = chars + fresh / 2;
			quarter = chars + fresh / 4 + (fresh % 4 > 0);
		}
		if (chars == half)
			ends.full = at;
		if (n > 0 && space && !after_space && chars >= quarter)
			ends.best[chars >= half ? rank_break(walk, at) : WORDS] = at;
		if (n == 0 || chars == max_chars)
			break;
		at += n;
		after_space = space;
	}
	ends.limit = at;
	return ends;
}

/* The limit, or a little before it when that would part a character from its marks. */
static size_t cut_whole(const struct chunk_walk *walk, const struct ends *ends)
{
	size_t at = ends->limit;
	uint32_t code;

	while (at > ends->full) {
		read_char(walk, at, &code);
		if (!is_mark(code))
			return at;
		at = step_back(walk->text, at);
	}
	return ends->limit;
}

/* The offset from which the next piece repeats the end of this one, or 0 for no repetition: the farthest word
 * begin within `overlap` characters, or any character when the cut went through a word. */
static size_t find_repeat(const struct chunk_walk *walk, size_t start, size_t end, size_t overlap, bool in_word)
{
	size_t at = end, word = 0, any = 0;
	uint32_t code;

	while (overlap-- > 0) {
		size_t before = step_back(walk->text, at);

		if (before <= start)
			break;
		at = before;
		read_char(walk, at, &code);
		if (is_mark(code) || is_space(code))
			continue;
		any = at;
		read_char(walk, step_back(walk->text, at), &code);
		if (is_space(code))
			word = at;
	}
	return word > 0 || !in_word ? word : any;
}

static size_t count_chars(const struct chunk_walk *walk, size_t from, size_t to, size_t enough)
{
	size_t chars = 0;
	uint32_t code;

	for (; from < to && chars < enough; chars++)
		from += read_char(walk, from, &code);
	return chars;
}

/* Set the walk where the piece after text[start..end) begins. */
static void go_on(struct chunk_walk *walk, size_t start, size_t end, size_t max_chars)
{
	size_t next = skip_space(walk, end), most = max_chars - max_chars / 4 - 1;
	size_t overlap = walk->overlap < max_chars / 2 ? walk->overlap : max_chars / 2;
	size_t repeat = find_repeat(walk, start, end, overlap, next == end);

	walk->floor = end;
	walk->at = next;
	/* Much white space between the pieces would leave no room for anything new. */
	if (next < walk->len && repeat > 0 && count_chars(walk, repeat, next, max_chars) <= most)
		walk->at = repeat;
}

static size_t choose_end(const struct chunk_walk *walk, const struct ends *ends)
{
	if (ends->limit == walk->len)
		return walk->len;
	for (int rank = N_RANKS - 1; rank >= WORDS; rank--)
		if (ends->best[rank] > 0)
			return ends->best[rank];
	return cut_whole(walk, ends);
}

int chunk_next(struct chunk_walk *walk, struct chunk *chunk)
{
	size_t max_chars = walk->max_chars > 0 ? walk->max_chars : 1;
	size_t start = skip_space(walk, walk->at), end;
	struct ends ends;

	/* so that the end of the text is where its last piece ends */
	walk->len = trim_end(walk->text, start, walk->len);
	if (start >= walk->len)
		return 0;
	ends = find_ends(walk, start, max_chars);
	end = trim_end(walk->text, start, choose_end(walk, &ends));
	chunk->at = start;
	chunk->len = end - start;
	go_on(walk, start, end, max_chars);
	return 1;
}
