/* SPDX-License-Identifier: ISC */
#include "extract/flow.h"

#include <stdbool.h>
#include <string.h>

#include "extract/output.h"

static struct {
	int lines;   /* that wait */
	size_t held; /* line ends of preformatted text, that wait for more of it */
	int tabs;    /* likewise */
	bool space;  /* likewise */
	bool item;   /* likewise */
	bool fresh;  /* a cell or item has begun: it wants no line of its own */
	bool begun;  /* there was a word */
} flow;

static void settle(void)
{
	static const char newlines[] = "\n\n", tabs[] = "\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t";

	if (flow.lines > 0 && flow.begun)
		output_text(newlines, (size_t)flow.lines);
	else if (flow.held > 0)
		for (; flow.held > 0; flow.held--)
			output_text("\n", 1);
	else if (flow.space && flow.tabs == 0 && flow.begun)
		output_text(" ", 1);
	for (; flow.tabs > 0; flow.tabs -= (int)sizeof(tabs) - 1)
		output_text(tabs, flow.tabs < (int)sizeof(tabs) - 1 ? (size_t)flow.tabs : sizeof(tabs) - 1);
	if (flow.item)
		output_text("- ", 2);
	flow_reset();
	flow.begun = true;
}

/* Bytes of white space at a place, or 0.  The no-break space is one. */
static size_t space_bytes(const char *at, size_t len)
{
	if (*at == ' ' || (*at >= '\t' && *at <= '\r'))
		return 1;
	return len >= 2 && at[0] == '\xC2' && at[1] == '\xA0' ? 2 : 0;
}

static size_t word_bytes(const char *at, size_t len)
{
	size_t n = 0;

	while (n < len && space_bytes(at + n, len - n) == 0)
		n++;
	return n;
}

/* A word without its soft hyphens, which would keep it from being found. */
static void put_word(const char *at, size_t len)
{
	const char *hyphen;

	while ((hyphen = memmem(at, len, "\xC2\xAD", 2)) != NULL) {
		output_text(at, (size_t)(hyphen - at));
		len -= (size_t)(hyphen - at) + 2;
		at = hyphen + 2;
	}
	output_text(at, len);
}

void flow_text(const char *at, size_t len)
{
	while (len > 0) {
		size_t n = space_bytes(at, len);

		if (n > 0)
			flow.space = true;
		else {
			n = word_bytes(at, len);
			settle();
			put_word(at, n);
		}
		at += n;
		len -= n;
	}
}

void flow_verbatim(const char *at, size_t len)
{
	size_t held = 0;

	for (; len > 0 && (at[len - 1] == '\n' || at[len - 1] == '\r'); len--)
		held += at[len - 1] == '\n';
	if (len > 0) {
		flow.space = false;
		settle();
		output_text(at, len);
	}
	flow.held += held;
}

void flow_break(int lines)
{
	if (flow.fresh)
		return;
	flow.tabs = 0;
	if (lines > flow.lines)
		flow.lines = lines;
}

void flow_space(void)
{
	flow.space = true;
}

void flow_newline(void)
{
	if (flow.begun && !flow.fresh)
		flow.lines = flow.lines < 2 ? flow.lines + 1 : 2;
}

void flow_item(void)
{
	flow_break(1);
	flow.item = true;
	flow.fresh = true;
}

void flow_cell_begin(void)
{
	flow.fresh = true;
}

void flow_cell_end(void)
{
	/* an empty one leaves the row's own line waiting */
	if (!flow.fresh) {
		flow.lines = 0;
		flow.space = false;
	}
	flow.item = false;
	flow.tabs++;
}

void flow_row_end(void)
{
	flow.fresh = false;
	flow.tabs = 0;
	flow.item = false;
	flow_break(1);
}

void flow_reset(void)
{
	memset(&flow, 0, sizeof(flow));
}
