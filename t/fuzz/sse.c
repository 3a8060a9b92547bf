/* SPDX-License-Identifier: ISC
 * Events are the same however their bytes arrive, and the same as a second, plain reading of the standard gives. */
#include "base/sse.h"

#include "fuzz.h"

static int note(void *arg, const char *event, const char *data, size_t len)
{
	struct str *told = arg;

	must(strlen(event) < sizeof(((struct sse *)0)->event));
	must(data[len] == '\0');
	str_printf(told, "%s(%zu)", event, len);
	str_add(told, data, len);
	return 0;
}

/* WHATWG HTML section 9.2.6, over a whole text.  As sse.h says, an event that breaks off at the end is one too. */
struct reading {
	struct str *told, *data;
	char event[32];
	bool has_data;
};

static void dispatch(struct reading *reading)
{
	if (reading->has_data)
		note(reading->told, reading->event, reading->data->at, reading->data->len);
	str_clear(reading->data);
	reading->event[0] = '\0';
	reading->has_data = false;
}

static void read_line(struct reading *reading, const char *line, size_t len)
{
	const char *colon = len == 0 ? NULL : memchr(line, ':', len), *value;
	size_t name = colon == NULL ? len : (size_t)(colon - line), n;

	if (len == 0) {
		dispatch(reading);
		return;
	}
	value = colon == NULL ? line + len : colon + 1;
	if (value < line + len && *value == ' ')
		value++;
	n = (size_t)(line + len - value);
	if (name == 4 && memcmp(line, "data", 4) == 0) {
		if (reading->has_data)
			str_putc(reading->data, '\n');
		str_add(reading->data, value, n);
		reading->has_data = true;
	} else if (name == 5 && memcmp(line, "event", 5) == 0) {
		n = strnlen(value, n < sizeof(reading->event) - 1 ? n : sizeof(reading->event) - 1);
		memcpy(reading->event, value, n);
		reading->event[n] = '\0';
	}
}

static struct str *read_plainly(struct arena *arena, const char *text, size_t len)
{
	struct reading reading = {.told = str_new(arena), .data = str_new(arena)};
	size_t at = 0;

	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		at = 3;
	while (at < len) {
		size_t from = at;

		while (at < len && text[at] != '\r' && text[at] != '\n')
			at++;
		read_line(&reading, text + from, at - from);
		at += at + 1 < len && text[at] == '\r' && text[at + 1] == '\n' ? 2 : 1;
	}
	dispatch(&reading);
	return reading.told;
}

static struct str *read_pieces(struct arena *arena, const char *text, size_t len, bool whole)
{
	struct str *told = str_new(arena);
	struct cuts cuts = cuts_of(text, len);
	struct sse sse;
	size_t n;

	sse_open(&sse, arena, note, told);
	for (size_t at = 0; at < len; at += n) {
		char *piece;

		n = whole ? len : next_cut(&cuts, len - at);
		piece = exact(text + at, n);
		must(sse_feed(&sse, piece, n) == 0);
		free(piece);
	}
	must(sse_end(&sse) == 0);
	return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes;
	struct arena *arena = arena_new();
	struct str *whole = read_pieces(arena, text, len, true);

	must(same_text(whole, read_pieces(arena, text, len, false)));
	must(same_text(whole, read_plainly(arena, text, len)));
	arena_free(arena);
	return 0;
}
