/* SPDX-License-Identifier: ISC
 * Rich Text, as HTML from unrtf, with faults of it mended (0.21.10).
 * Before: where a character of Unicode is followed by its replacement and a word, \u8220?Quote, it drops the word with
 * the replacement.  An empty group in the replacement's place keeps it to that.  In the place of many a link's text it
 * writes "hyperlink": where the field has another name it does not.  A hyphen at which no line may break, \_, it drops.
 * A footnote it joins to the word before, or drops it as well where \* says that it may; and cells in cells it joins.
 * After: a character beyond U+FFFF comes as two references, &#55357;&#56832;, one for each half of its UTF-16. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "extract/charset.h"
#include "extract/job.h"
#include "extract/markup.h"
#include "extract/output.h"
#include "extract/readers.h"

/* ---- before */

enum {
	WINDOW_BYTES = 64 << 10,
	AHEAD_BYTES = 64, /* of a control word and what belongs to it */
	MAX_GROUPS = 1000,
};

/* The file, of which some bytes can be seen ahead. */
struct window {
	struct feed *feed;
	size_t n, n_in;
	bool ended;
	char in[WINDOW_BYTES];
};

struct filter {
	struct window window;
	struct str *out;
	int depth;
	int instruction;           /* of a field: the depth of the group that has it, 0: none is open */
	int fallbacks[MAX_GROUPS]; /* characters that replace one of Unicode, in each open group */
};

static bool fill(struct window *window)
{
	while (window->n_in - window->n < AHEAD_BYTES && !window->ended) {
		size_t left = window->n_in - window->n, got;

		memmove(window->in, window->in + window->n, left);
		window->n = 0;
		got = window->feed->read(window->feed, window->in + left, WINDOW_BYTES - left);
		window->n_in = left + got;
		window->ended = got == 0;
	}
	return window->n < window->n_in;
}

/* A byte ahead, NUL beyond the end. */
static char look(struct window *window, size_t i)
{
	return window->n + i < window->n_in ? window->in[window->n + i] : '\0';
}

static int *fallbacks(struct filter *filter)
{
	return &filter->fallbacks[filter->depth < MAX_GROUPS ? filter->depth : MAX_GROUPS - 1];
}

/* What stands in for a character: so many bytes, or \'hh each; a group or a control word ends them. */
static void skip_fallback(struct filter *filter)
{
	struct window *window = &filter->window;

	for (int i = 0; i < *fallbacks(filter) && fill(window); i++) {
		while (look(window, 0) == '\r' || look(window, 0) == '\n')
			if (window->n++, !fill(window))
				return;
		if (look(window, 0) == '{' || look(window, 0) == '}' ||
			(look(window, 0) == '\\' && look(window, 1) != '\''))
			return;
		window->n += look(window, 0) == '\\' ? 4 : 1;
		if (window->n > window->n_in)
			window->n = window->n_in;
	}
}

static void skip_binary(struct window *window, long bytes)
{
	while (bytes > 0 && fill(window)) {
		size_t there = window->n_in - window->n, n = (size_t)bytes < there ? (size_t)bytes : there;

		window->n += n;
		bytes -= (long)n;
	}
}

/* A control word: \name, \name12, \name-12. */
struct word {
	char name[33];
	size_t len; /* with the backslash and the number, without the space after it */
	bool numbered;
	long number;
};

/* The window is at a backslash before a letter. */
static struct word read_word(struct window *window)
{
	struct word word = {.len = 1};
	char number[16] = "";
	size_t digits = 0, sign;

	while (word.len < sizeof(word.name) && isalpha((unsigned char)look(window, word.len)))
		word.len++;
	memcpy(word.name, window->in + window->n + 1, word.len - 1);
	sign = look(window, word.len) == '-';
	while (digits < 10 && isdigit((unsigned char)look(window, word.len + sign + digits)))
		digits++;
	if (digits == 0)
		return word;
	memcpy(number, window->in + window->n + word.len, sign + digits);
	word.numbered = true;
	word.number = strtol(number, NULL, 10);
	word.len += sign + digits;
	return word;
}

static bool replace_word(struct filter *filter, const struct word *word)
{
	struct window *window = &filter->window;
	/* the second space is text */
	const char *by = strcmp(word->name, "footnote") == 0   ? "\\footnote  "
			 : strcmp(word->name, "nestcell") == 0 ? "\\line "
							       : NULL;

	if (by == NULL)
		return false;
	str_puts(filter->out, by);
	window->n += word->len + (look(window, word->len) == ' ');
	return true;
}

static void filter_word(struct filter *filter)
{
	struct window *window = &filter->window;
	struct word word = read_word(window);
	bool is_u = strcmp(word.name, "u") == 0, is_uc = strcmp(word.name, "uc") == 0,
	     is_bin = strcmp(word.name, "bin") == 0;

	if (strcmp(word.name, "fldinst") == 0)
		filter->instruction = filter->depth;
	if (replace_word(filter, &word))
		return;
	if (!word.numbered || !(is_u || is_uc || is_bin)) {
		str_add(filter->out, window->in + window->n, word.len);
		window->n += word.len;
		return;
	}
	window->n += word.len + (look(window, word.len) == ' ');
	if (is_bin)
		skip_binary(window, word.number);
	else if (is_uc)
		*fallbacks(filter) = word.number < 0 ? 0 : word.number > 100 ? 100 : (int)word.number;
	else {
		str_printf(filter->out, "\\u%ld{}", word.number);
		skip_fallback(filter);
	}
}

static bool is_ahead(const struct window *window, const char *text)
{
	size_t len = strlen(text);

	return window->n_in - window->n >= len && memcmp(window->in + window->n, text, len) == 0;
}

static void filter_group(struct filter *filter, char c)
{
	int outer = *fallbacks(filter);

	if (c == '{') {
		filter->depth++;
		*fallbacks(filter) = outer;
		return;
	}
	if (filter->depth == filter->instruction)
		filter->instruction = 0;
	filter->depth -= filter->depth > 0;
}

static void filter_next(struct filter *filter)
{
	struct window *window = &filter->window;
	char c = look(window, 0);

	if (c == '\\' && isalpha((unsigned char)look(window, 1))) {
		filter_word(filter);
		return;
	}
	if (is_ahead(window, "\\_")) {
		str_putc(filter->out, '-');
		window->n += 2;
		return;
	}
	if (is_ahead(window, "\\*\\footnote")) {
		window->n += 2;
		return;
	}
	if (filter->instruction > 0 && is_ahead(window, "HYPERLINK"))
		window->n += strlen("HYPER");
	c = look(window, 0);
	if (c == '{' || c == '}')
		filter_group(filter, c);
	str_putc(filter->out, c);
	window->n++;
	if (c == '\\' && window->n < window->n_in)
		str_putc(filter->out, window->in[window->n++]);
}

static void print(const char *at, size_t len)
{
	while (len > 0) {
		ssize_t wrote = write(STDOUT_FILENO, at, len);

		if (wrote < 0)
			_exit(0); /* who reads has ended, and says why */
		at += wrote;
		len -= (size_t)wrote;
	}
}

void rtf_filter(void)
{
	struct arena *arena = job_arena();
	struct filter *filter = arena_get(arena, sizeof(*filter));

	filter->window.feed = feed_input(arena);
	filter->out = str_new(arena);
	filter->fallbacks[0] = 1;
	while (fill(&filter->window)) {
		filter_next(filter);
		if (filter->out->len < WINDOW_BYTES)
			continue;
		print(filter->out->at, filter->out->len);
		str_clear(filter->out);
	}
	print(filter->out->at, filter->out->len);
}

/* ---- after */

enum { PAIR_BYTES = 16 }; /* "&#55357;&#56832;" */

struct joiner {
	struct feed feed;
	struct window window;
};

/* The half that a reference at this place is, or 0. */
static unsigned half_at(const char *at, unsigned lowest)
{
	unsigned code;
	char semicolon;

	if (memcmp(at, "&#", 2) != 0 || sscanf(at, "&#%5u%c", &code, &semicolon) != 2 || semicolon != ';')
		return 0;
	return code >= lowest && code < lowest + 0x400 ? code : 0;
}

/* The bytes of the pair there, written as one into `to`; 0 if there is none. */
static size_t join(const char *at, char to[PAIR_BYTES])
{
	char pair[PAIR_BYTES + 1] = "";
	unsigned high, low;

	memcpy(pair, at, PAIR_BYTES);
	high = half_at(pair, 0xD800);
	low = high != 0 ? half_at(pair + 8, 0xDC00) : 0;
	if (low == 0)
		return 0;
	return (size_t)snprintf(to, PAIR_BYTES, "&#%u;", 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
}

static size_t read_joined(struct feed *feed, char *to, size_t room)
{
	struct window *window = &((struct joiner *)feed)->window;
	size_t n = 0;

	while (n + PAIR_BYTES < room && fill(window)) {
		const char *at = window->in + window->n;
		size_t joined = 0;

		if (*at == '&' && window->n_in - window->n >= PAIR_BYTES)
			joined = join(at, to + n);
		if (joined == 0)
			to[n] = *at;
		n += joined > 0 ? joined : 1;
		window->n += joined > 0 ? PAIR_BYTES : 1;
	}
	return n;
}

void rtf_read(void)
{
	struct arena *arena = output_arena();
	struct joiner *joiner = arena_get(arena, sizeof(*joiner));

	joiner->feed.read = read_joined;
	joiner->window.feed = feed_input(arena);
	markup_read(charset_fit_for_markup(arena, &joiner->feed));
	output_end();
}
