/* SPDX-License-Identifier: ISC
 * All that core/chunk.h promises.  The first line of an input is max_chars and overlap; the rest, made UTF-8, is the
 * text. */
#include "core/chunk.h"

#include "base/utf8.h"
#include "fuzz.h"

static bool is_space(uint32_t code)
{
	return code == ' ' || (code >= '\t' && code <= '\r') || code == 0x85 || code == 0xA0 || code == 0x1680 ||
	       (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
	       code == 0x205F || code == 0x3000;
}

/* Characters in text[from..to), and of them those that are no white space. */
static size_t count(const struct chunk_walk *walk, size_t from, size_t to, size_t *solid)
{
	size_t chars = 0;
	uint32_t code = 0;

	*solid = 0;
	while (from < to) {
		int n = utf8_read(walk->text + from, walk->len - from, &code);

		must(n > 0);
		from += (size_t)n;
		chars++;
		*solid += !is_space(code);
	}
	must(from == to);
	return chars;
}

static void check_piece(const struct chunk_walk *walk, const struct chunk *piece, const struct chunk *before)
{
	size_t end = piece->at + piece->len, before_end = before->at + before->len, solid, ends;
	size_t max_chars = walk->max_chars > 0 ? walk->max_chars : 1;
	uint32_t code = 0;

	must(piece->len > 0 && end <= walk->len);
	must(utf8_valid(walk->text + piece->at, piece->len));
	must(count(walk, piece->at, end, &solid) <= max_chars);
	/* trimmed at both ends */
	utf8_read(walk->text + piece->at, piece->len, &code);
	must(!is_space(code));
	for (ends = end - 1; ends > piece->at && ((unsigned char)walk->text[ends] & 0xC0) == 0x80; ends--)
		;
	utf8_read(walk->text + ends, end - ends, &code);
	must(!is_space(code));
	if (before->len == 0) {
		count(walk, 0, piece->at, &solid);
		must(solid == 0);
		return;
	}
	must(piece->at > before->at && end > before_end);
	if (piece->at < before_end) {
		must(count(walk, piece->at, before_end, &solid) <= walk->overlap);
	} else {
		count(walk, before_end, piece->at, &solid);
		must(solid == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *at = (const char *)bytes, *end = at + len, *line;
	struct arena *arena = arena_new();
	struct utf8_stream stream = {.n_held = 0};
	struct chunk_walk walk = {.max_chars = 10}, whole;
	struct chunk piece, before = {0, 0};
	struct str *text = str_new(arena);
	size_t n = 0, solid;
	char *copy, *rest;

	line = next_line(&at, end, &n);
	if (line != NULL) {
		char *numbers = arena_copy(arena, line, n < 20 ? n : 20);

		walk.max_chars = strtoul(numbers, &rest, 10) % 3000;
		walk.overlap = strtoul(rest, NULL, 10) % 3000;
	}
	utf8_clean(&stream, at, (size_t)(end - at), true, text);
	copy = exact(text->at, text->len);
	walk.text = copy;
	walk.len = text->len;
	whole = walk;
	while (chunk_next(&walk, &piece)) {
		check_piece(&whole, &piece, &before);
		before = piece;
	}
	count(&whole, before.at + before.len, whole.len, &solid);
	must(solid == 0);
	must(!chunk_next(&walk, &piece));
	free(copy);
	arena_free(arena);
	return 0;
}
