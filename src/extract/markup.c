/* SPDX-License-Identifier: ISC */
#include "extract/markup.h"

#include <libxml/HTMLparser.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "extract/attributes.h"
#include "extract/charset.h"
#include "extract/flow.h"
#include "extract/job.h"
#include "extract/output.h"
#include "extract/readers.h"
#include "extract/sax.h"

/* libxml2 looks through all open elements at many a tag: 10,000 take 0.1 s, a million would take hours. */
enum { MAX_DEPTH = 10000, MAX_TITLE_BYTES = 4000 };

enum layout {
	INLINE,
	LINE,  /* begins and ends a line */
	BLOCK, /* stands between blank lines */
	LIST,
	ITEM,
	ROW,
	CELL,
	SKIP, /* not shown */
	BREAK,
	VERBATIM,
	TITLE,
	HEADING, /* of the first rank */
};

/* Sorted. */
static const struct tag {
	const char *name;
	enum layout layout;
} tags[] = {{"address", BLOCK}, {"annotation", SKIP}, {"annotation-xml", SKIP}, {"article", BLOCK}, {"aside", BLOCK},
	{"audio", SKIP}, {"blockquote", BLOCK}, {"body", BLOCK}, {"br", BREAK}, {"canvas", SKIP}, {"caption", LINE},
	{"center", LINE}, {"dd", LINE}, {"details", BLOCK}, {"dir", LIST}, {"div", LINE}, {"dl", BLOCK}, {"dt", LINE},
	{"fieldset", BLOCK}, {"figcaption", LINE}, {"figure", BLOCK}, {"footer", BLOCK}, {"form", BLOCK},
	{"h1", HEADING}, {"h2", BLOCK}, {"h3", BLOCK}, {"h4", BLOCK}, {"h5", BLOCK}, {"h6", BLOCK}, {"header", BLOCK},
	{"hr", BLOCK}, {"iframe", SKIP}, {"legend", LINE}, {"li", ITEM}, {"main", BLOCK}, {"menu", LIST},
	{"nav", BLOCK}, {"noframes", SKIP}, {"noscript", SKIP}, {"ol", LIST}, {"option", LINE}, {"p", BLOCK},
	{"pre", VERBATIM}, {"script", SKIP}, {"section", BLOCK}, {"select", LINE}, {"style", SKIP}, {"summary", LINE},
	{"svg", SKIP}, {"table", BLOCK}, {"td", CELL}, {"template", SKIP}, {"textarea", LINE}, {"th", CELL},
	{"title", TITLE}, {"tr", ROW}, {"ul", LIST}, {"video", SKIP}};

struct reading {
	int depth, skip; /* elements open; the depth at which passing over began, 0 = not now */
	int lists, verbatim;
	bool verbatim_begun;         /* a line break right after its tag counts for nothing */
	struct str *title, *heading; /* NULL while none is open */
	struct str *titles, *headings;
};

static int compare_tag(const void *name, const void *tag)
{
	return strcasecmp(name, ((const struct tag *)tag)->name);
}

static enum layout find_layout(const char *name)
{
	const struct tag *tag = bsearch(name, tags, sizeof(tags) / sizeof(tags[0]), sizeof(tags[0]), compare_tag);

	return tag != NULL ? tag->layout : INLINE;
}

/* ---- what the head says */

static const char *find_attribute(const xmlChar **attributes, const char *name)
{
	for (; attributes != NULL && attributes[0] != NULL; attributes += 2)
		if (strcasecmp((const char *)attributes[0], name) == 0)
			return (const char *)attributes[1];
	return NULL;
}

static void note_meta(const xmlChar **attributes)
{
	static const struct {
		const char *name;
		enum meta meta;
	} names[] = {{"author", META_AUTHOR}, {"dc.creator", META_AUTHOR}, {"article:author", META_AUTHOR},
		{"description", META_DESCRIPTION}, {"og:description", META_DESCRIPTION},
		{"article:published_time", META_PUBLISHED}, {"date", META_PUBLISHED}, {"dc.date", META_PUBLISHED},
		{"dcterms.created", META_PUBLISHED}, {"language", META_LANGUAGE}};
	const char *name = find_attribute(attributes, "name");

	if (name == NULL)
		name = find_attribute(attributes, "property");
	for (size_t i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i].name) == 0)
			output_meta_text(names[i].meta, find_attribute(attributes, "content"));
}

static void listen(struct str **open, struct str *to)
{
	str_clear(to);
	*open = to;
}

static void note_title(struct str **open)
{
	if (*open != NULL)
		output_meta(META_TITLE, (*open)->at, (*open)->len);
	*open = NULL;
}

/* ---- elements */

static void begin_layout(struct reading *reading, enum layout layout)
{
	switch (layout) {
	case LINE:
		flow_break(1);
		break;
	case BLOCK:
		flow_break(reading->lists > 0 ? 1 : 2);
		break;
	case HEADING:
		flow_break(2);
		listen(&reading->heading, reading->headings);
		break;
	case LIST:
		flow_break(reading->lists++ > 0 ? 1 : 2);
		break;
	case ITEM:
		flow_item();
		break;
	case ROW:
		flow_break(1);
		break;
	case CELL:
		flow_cell_begin();
		break;
	case BREAK:
		flow_newline();
		break;
	case VERBATIM:
		flow_break(2);
		reading->verbatim++;
		reading->verbatim_begun = false;
		break;
	case TITLE:
		listen(&reading->title, reading->titles);
		break;
	case SKIP:
		reading->skip = reading->depth;
		break;
	case INLINE:
		break;
	}
}

static void begin(void *context, const xmlChar *name, const xmlChar **attributes)
{
	struct reading *reading = context;

	if (++reading->depth > MAX_DEPTH)
		refuse(FILE_BROKEN, "Its elements are nested more than %d deep.", MAX_DEPTH);
	if (reading->skip > 0)
		return;
	if (strcasecmp((const char *)name, "meta") == 0)
		note_meta(attributes);
	else if (strcasecmp((const char *)name, "html") == 0)
		output_meta_text(META_LANGUAGE, find_attribute(attributes, "lang"));
	begin_layout(reading, find_layout((const char *)name));
}

static void end_layout(struct reading *reading, enum layout layout)
{
	switch (layout) {
	case LINE:
	case ITEM:
		flow_break(1);
		break;
	case HEADING:
		note_title(&reading->heading);
		flow_break(2);
		break;
	case BLOCK:
		flow_break(reading->lists > 0 ? 1 : 2);
		break;
	case LIST:
		reading->lists -= reading->lists > 0;
		flow_break(reading->lists > 0 ? 1 : 2);
		break;
	case ROW:
		flow_row_end();
		break;
	case CELL:
		flow_cell_end();
		break;
	case VERBATIM:
		reading->verbatim -= reading->verbatim > 0;
		flow_break(2);
		break;
	case TITLE:
		note_title(&reading->title);
		break;
	default:
		break;
	}
}

static void end(void *context, const xmlChar *name)
{
	struct reading *reading = context;
	bool skipped = reading->skip > 0;

	if (reading->skip == reading->depth)
		reading->skip = 0;
	reading->depth--;
	if (!skipped)
		end_layout(reading, find_layout((const char *)name));
}

static void text(void *context, const xmlChar *piece, int len)
{
	struct reading *reading = context;
	const char *at = (const char *)piece;

	if (reading->skip > 0 || len <= 0)
		return;
	if (reading->title != NULL) {
		if (reading->title->len < MAX_TITLE_BYTES)
			str_add(reading->title, at, (size_t)len);
		return;
	}
	if (reading->heading != NULL && reading->heading->len < MAX_TITLE_BYTES)
		str_add(reading->heading, at, (size_t)len);
	if (reading->verbatim == 0)
		flow_text(at, (size_t)len);
	else if (reading->verbatim_begun || *at != '\n')
		flow_verbatim(at, (size_t)len);
	else
		flow_verbatim(at + 1, (size_t)len - 1);
	reading->verbatim_begun = true;
}

/* ---- pages */

static int read_feed(void *feed, char *to, int room)
{
	return (int)((struct feed *)feed)->read(feed, to, (size_t)room);
}

void markup_read(struct feed *feed)
{
	struct arena *arena = job_arena();
	struct reading reading = {.titles = str_new(arena), .headings = str_new(arena)};
	htmlParserCtxtPtr parser = htmlNewParserCtxt();

	if (parser == NULL)
		refuse(FILE_TOO_HUNGRY, "There is no memory for its HTML.");
	memset(parser->sax, 0, sizeof(*parser->sax));
	parser->sax->startElement = begin;
	parser->sax->endElement = end;
	parser->sax->characters = text;
	parser->sax->ignorableWhitespace = text;
	parser->userData = &reading;
	htmlCtxtReadIO(parser, read_feed, NULL, attributes_guard(arena, feed, true), NULL, "UTF-8",
		HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_IGNORE_ENC |
			HTML_PARSE_NODEFDTD);
	if (parser->lastError.code == XML_ERR_NO_MEMORY)
		refuse(FILE_TOO_HUNGRY, "Its HTML takes too much memory to read.");
	htmlFreeParserCtxt(parser);
	arena_free(arena);
}

void html_prepare(void)
{
	sax_prepare();
	charset_preload(job.finding->charset);
}

void html_read(void)
{
	struct arena *arena = output_arena();
	struct charset charset;

	memcpy(charset.name, job.finding->charset, sizeof(charset.name));
	markup_read(charset_fit_for_markup(arena, charset_feed(arena, feed_input(arena), charset)));
	output_end();
}
