/* SPDX-License-Identifier: ISC */
#include "extract/sax.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>
#include <stdlib.h>
#include <string.h>

#include "extract/attributes.h"
#include "extract/charset.h"
#include "extract/job.h"

struct reading {
	const struct sax *sax;
	void *context;
	int depth, passed_from; /* elements open; the depth at which passing over began, 0 = not now */
};

static void silent(void *context, const char *format, ...)
{
	(void)context;
	(void)format;
}

static xmlParserInputPtr load_nothing(const char *url, const char *id, xmlParserCtxtPtr ctxt)
{
	(void)url;
	(void)id;
	(void)ctxt;
	return NULL;
}

void sax_prepare(void)
{
	xmlInitParser();
	xmlSetGenericErrorFunc(NULL, silent);
	xmlSetExternalEntityLoader(load_nothing);
	charset_preload("WINDOWS-1252");
	charset_preload("UTF-16LE");
}

static void begin(void *at, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int n_namespaces,
	const xmlChar **namespaces, int n_attributes, int n_defaulted, const xmlChar **attributes)
{
	struct reading *reading = at;
	bool passed_over = false;
	struct element element = {(const char *)name, (const char *)uri, attributes, n_attributes, &passed_over};

	(void)prefix;
	(void)n_namespaces;
	(void)namespaces;
	(void)n_defaulted;
	reading->depth++;
	if (reading->passed_from > 0 || reading->sax->begin == NULL)
		return;
	reading->sax->begin(reading->context, &element);
	if (passed_over)
		reading->passed_from = reading->depth;
}

void sax_pass_over(const struct element *element)
{
	*element->passed_over = true;
}

static void end(void *at, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct reading *reading = at;

	(void)prefix;
	(void)uri;
	if (reading->passed_from == 0 && reading->sax->end != NULL)
		reading->sax->end(reading->context, (const char *)name);
	if (reading->passed_from == reading->depth)
		reading->passed_from = 0;
	reading->depth--;
}

static void text(void *at, const xmlChar *piece, int len)
{
	struct reading *reading = at;

	if (reading->passed_from == 0 && reading->sax->text != NULL && len > 0)
		reading->sax->text(reading->context, (const char *)piece, (size_t)len);
}

static void entity(
	void *at, const xmlChar *name, int type, const xmlChar *public, const xmlChar *system, xmlChar *content)
{
	(void)at;
	(void)name;
	(void)type;
	(void)public;
	(void)system;
	(void)content;
	refuse(FILE_BROKEN, "It declares entities of its own, which are not read.");
}

static int read_feed(void *feed, char *to, int room)
{
	return (int)((struct feed *)feed)->read(feed, to, (size_t)room);
}

static void check(xmlParserCtxtPtr parser)
{
	if (parser->wellFormed)
		return;
	if (parser->lastError.code == XML_ERR_NO_MEMORY)
		refuse(FILE_TOO_HUNGRY, "Its XML takes too much memory to read.");
	if (parser->nameNr >= (int)xmlParserMaxDepth - 1)
		refuse(FILE_BROKEN, "Its elements are nested more than %u deep.", xmlParserMaxDepth);
	refuse(FILE_BROKEN, "Its XML is not well formed, in line %d.", parser->lastError.line);
}

void sax_read(struct feed *feed, const struct sax *sax, void *context)
{
	struct arena *arena = job_arena();
	struct reading reading = {.sax = sax, .context = context};
	xmlParserCtxtPtr parser = xmlNewParserCtxt();

	if (parser == NULL)
		refuse(FILE_TOO_HUNGRY, "There is no memory for its XML.");
	memset(parser->sax, 0, sizeof(*parser->sax));
	parser->sax->initialized = XML_SAX2_MAGIC;
	parser->sax->startElementNs = begin;
	parser->sax->endElementNs = end;
	parser->sax->characters = text;
	parser->sax->cdataBlock = text;
	parser->sax->ignorableWhitespace = text;
	parser->sax->entityDecl = entity;
	parser->userData = &reading;
	/* NOENT has the five entities that need no declaration decoded in attributes; no others get here */
	feed = attributes_guard(arena, charset_markup(arena, feed, NULL), false);
	xmlCtxtReadIO(parser, read_feed, NULL, feed, NULL, "UTF-8",
		XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_IGNORE_ENC | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	check(parser);
	xmlFreeParserCtxt(parser);
	arena_free(arena);
}

bool sax_attribute(const struct element *element, const char *name, char *to, size_t room)
{
	const xmlChar **at = (const xmlChar **)element->attributes;
	bool of_namespace = name[0] == ':';

	to[0] = '\0';
	for (int i = 0; i < element->n_attributes; i++, at += 5)
		if (strcmp((const char *)at[0], name + of_namespace) == 0 && (!of_namespace || at[2] != NULL)) {
			size_t len = (size_t)(at[4] - at[3]);

			len = len < room - 1 ? len : room - 1;
			memcpy(to, at[3], len);
			to[len] = '\0';
			return true;
		}
	return false;
}

int64_t sax_number(const struct element *element, const char *name, int64_t otherwise)
{
	char text[32], *rest;
	long long number;

	if (!sax_attribute(element, name, text, sizeof(text)))
		return otherwise;
	number = strtoll(text, &rest, 10);
	return rest != text ? number : otherwise;
}

bool sax_true(const struct element *element, const char *name)
{
	char text[8];

	return sax_attribute(element, name, text, sizeof(text)) &&
	       (strcmp(text, "1") == 0 || strcmp(text, "true") == 0 || strcmp(text, "on") == 0);
}
