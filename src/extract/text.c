/* SPDX-License-Identifier: ISC
 * Plain texts, and all that is written as one: Markdown, Org, reStructuredText, AsciiDoc, CSV, JSON, source code.  They
 * stay as they are but for the charset; of some the first line that looks like a title becomes the title. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "extract/charset.h"
#include "extract/job.h"
#include "extract/kind.h"
#include "extract/output.h"
#include "extract/readers.h"

enum { PIECE_BYTES = 64 << 10, TITLE_WITHIN_BYTES = 8 << 10 };

/* The rest of a line that begins so, or NULL. */
static const char *after(const char *line, const char *mark)
{
	return strncasecmp(line, mark, strlen(mark)) == 0 ? line + strlen(mark) : NULL;
}

/* What this line says the title is, or NULL.  `next` is the line below. */
static const char *find_title(const char *name, const char *line, const char *next)
{
	const char *title = NULL;

	if (kind_named(name, ".md .markdown .mdx"))
		title = after(line, "# ");
	else if (kind_named(name, ".org"))
		title = after(line, "#+title:");
	else if (kind_named(name, ".adoc .asciidoc"))
		title = after(line, "= ");
	else if (kind_named(name, ".rst") && line[0] != '\0' && next != NULL && strlen(next) >= 3 &&
		 strspn(next, "=") == strlen(next))
		title = line;
	return title;
}

static void note_title(const char *head, size_t len)
{
	char text[TITLE_WITHIN_BYTES + 1], *rest = text, *line;

	if (job.name == NULL)
		return;
	len = len < TITLE_WITHIN_BYTES ? len : TITLE_WITHIN_BYTES;
	memcpy(text, head, len);
	text[len] = '\0';
	for (line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
		char next[256] = "";
		const char *title;

		line[strcspn(line, "\r")] = '\0';
		if (rest != NULL) {
			strncat(next, rest, sizeof(next) - 1);
			next[strcspn(next, "\r\n")] = '\0';
		}
		title = find_title(job.name, line, next);
		if (title != NULL)
			output_meta_text(META_TITLE, title);
	}
}

void text_prepare(void)
{
	charset_preload(job.finding->charset);
}

void text_read(void)
{
	struct arena *arena = output_arena();
	char *piece = arena_get(arena, PIECE_BYTES);
	struct charset charset;
	struct feed *feed;
	size_t n;

	memcpy(charset.name, job.finding->charset, sizeof(charset.name));
	feed = charset_feed(arena, feed_input(arena), charset);
	n = feed_fill(feed, piece, PIECE_BYTES);
	note_title(piece, n);
	for (; n > 0; n = feed->read(feed, piece, PIECE_BYTES))
		output_text(piece, n);
	output_end_as_is();
}

/* What tesseract has read in an image. */
void image_read(void)
{
	text_read();
}
