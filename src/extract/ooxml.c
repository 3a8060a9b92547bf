/* SPDX-License-Identifier: ISC */
#include "extract/ooxml.h"

#include <string.h>

#include "base/str.h"
#include "extract/job.h"
#include "extract/output.h"
#include "extract/package.h"
#include "extract/properties.h"

/* ---- relationships */

struct relations {
	struct arena *arena;
	const char *part;
	struct relation *first, **last;
	int n;
};

enum { MAX_RELATIONS = 100000 };

static void note_relation(void *context, const struct element *element)
{
	struct relations *relations = context;
	struct relation *relation;
	char id[128], type[256], target[512], mode[16], *end;

	if (strcmp(element->name, "Relationship") != 0 || !sax_attribute(element, "Id", id, sizeof(id)))
		return;
	if (++relations->n > MAX_RELATIONS)
		refuse(FILE_TOO_LARGE, "A part of it has more than %d relationships.", MAX_RELATIONS);
	sax_attribute(element, "Type", type, sizeof(type));
	sax_attribute(element, "Target", target, sizeof(target));
	sax_attribute(element, "TargetMode", mode, sizeof(mode));
	end = strrchr(type, '/');
	relation = arena_get(relations->arena, sizeof(*relation));
	relation->id = arena_strdup(relations->arena, id);
	relation->type = arena_strdup(relations->arena, end != NULL ? end + 1 : type);
	if (strcmp(mode, "External") != 0)
		relation->target = package_resolve(relations->arena, relations->part, target);
	*relations->last = relation;
	relations->last = &relation->next;
}

struct relation *ooxml_relations(struct arena *arena, const char *part)
{
	static const struct sax sax = {.begin = note_relation};
	const char *slash = strrchr(part, '/'), *file = slash != NULL ? slash + 1 : part;
	struct relations relations = {.arena = arena, .part = part, .last = &relations.first};
	struct arena *own = job_arena();
	struct feed *feed = package_member(own, arena_printf(own, "%.*s_rels/%s.rels", (int)(file - part), part, file));

	if (feed != NULL)
		sax_read(feed, &sax, &relations);
	arena_free(own);
	return relations.first;
}

const char *ooxml_by_id(const struct relation *relation, const char *id)
{
	for (; relation != NULL; relation = relation->next)
		if (strcmp(relation->id, id) == 0)
			return relation->target;
	return NULL;
}

const char *ooxml_by_type(const struct relation *relation, const char *type)
{
	for (; relation != NULL; relation = relation->next)
		if (strcmp(relation->type, type) == 0)
			return relation->target;
	return NULL;
}

const char *ooxml_begin(struct arena *arena)
{
	static const struct property properties[] = {{"title", META_TITLE}, {"creator", META_AUTHOR},
		{"description", META_DESCRIPTION}, {"subject", META_DESCRIPTION}, {"created", META_PUBLISHED},
		{"language", META_LANGUAGE}, {NULL, 0}};
	struct relation *relations = ooxml_relations(arena, "");
	const char *document = ooxml_by_type(relations, "officeDocument");
	const char *core = ooxml_by_type(relations, "core-properties");

	if (core != NULL)
		properties_read(core, properties);
	if (document == NULL || !package_has(document))
		refuse(FILE_BROKEN, "Its main part is missing.");
	return document;
}
