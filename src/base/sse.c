/* SPDX-License-Identifier: ISC */
#include "base/sse.h"

#include <stdio.h>
#include <string.h>

void sse_open(
	struct sse *sse, struct arena *arena, int (*on_event)(void *, const char *, const char *, size_t), void *arg)
{
	memset(sse, 0, sizeof(*sse));
	sse->line = str_new(arena);
	sse->data = str_new(arena);
	sse->on_event = on_event;
	sse->arg = arg;
}

static int deliver(struct sse *sse)
{
	int result = 0;

	if (sse->has_data)
		result = sse->on_event(sse->arg, sse->event, sse->data->at, sse->data->len);
	str_clear(sse->data);
	sse->event[0] = '\0';
	sse->has_data = false;
	return result;
}

/* A whole line: `field: value`, a comment, or the blank one that ends an event. */
static int take_line(struct sse *sse)
{
	const char *line = sse->line->at, *colon, *value;
	size_t len, name;

	if (!sse->bom_seen && sse->line->len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
		memmove(sse->line->at, sse->line->at + 3, sse->line->len - 2);
		sse->line->len -= 3;
	}
	sse->bom_seen = true;
	len = sse->line->len;
	if (len == 0)
		return deliver(sse);
	colon = memchr(line, ':', len);
	name = colon == NULL ? len : (size_t)(colon - line);
	value = colon == NULL ? line + len : colon + 1;
	if (*value == ' ' && colon != NULL)
		value++;
	if (name == 4 && memcmp(line, "data", 4) == 0) {
		if (sse->data->len + len > SSE_MAX_LINE)
			return -2;
		if (sse->has_data)
			str_putc(sse->data, '\n');
		str_add(sse->data, value, len - (size_t)(value - line));
		sse->has_data = true;
	} else if (name == 5 && memcmp(line, "event", 5) == 0) {
		snprintf(sse->event, sizeof(sse->event), "%s", value);
	}
	return 0;
}

int sse_feed(struct sse *sse, const char *bytes, size_t len)
{
	const char *end = bytes + len;

	while (bytes < end) {
		const char *stop = bytes;
		int result;

		if (sse->after_cr && *bytes == '\n') {
			sse->after_cr = false;
			bytes++;
			continue;
		}
		sse->after_cr = false;
		while (stop < end && *stop != '\n' && *stop != '\r')
			stop++;
		if (sse->line->len + (size_t)(stop - bytes) > SSE_MAX_LINE)
			return -2;
		str_add(sse->line, bytes, (size_t)(stop - bytes));
		if (stop == end)
			return 0;
		sse->after_cr = *stop == '\r';
		bytes = stop + 1;
		result = take_line(sse);
		str_clear(sse->line);
		if (result != 0)
			return result;
	}
	return 0;
}

int sse_end(struct sse *sse)
{
	int result = sse->line->len > 0 ? take_line(sse) : 0;

	str_clear(sse->line);
	return result != 0 ? result : deliver(sse);
}
