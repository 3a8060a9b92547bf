/* SPDX-License-Identifier: ISC
 * Books: the chapters in the order of the book's spine. */
#include <string.h>

#include "base/str.h"
#include "extract/charset.h"
#include "extract/flow.h"
#include "extract/job.h"
#include "extract/markup.h"
#include "extract/output.h"
#include "extract/package.h"
#include "extract/properties.h"
#include "extract/readers.h"
#include "extract/sax.h"

enum { MAX_ITEMS = 10000 };

struct item {
	const char *id;
	const char *name; /* of the member */
};

struct book {
	struct arena *arena;
	const char *package; /* the member that lists the others */
	struct item items[MAX_ITEMS];
	const char *chapters[MAX_ITEMS];
	int n_items, n_chapters;
	const char *locked[MAX_ITEMS]; /* members that are encrypted */
	int n_locked;
};

static void find_package(void *context, const struct element *element)
{
	struct book *book = context;
	char path[512];

	if (book->package == NULL && strcmp(element->name, "rootfile") == 0 &&
		sax_attribute(element, "full-path", path, sizeof(path)))
		book->package = package_resolve(book->arena, "", path);
}

/* Fonts are often scrambled, which does not matter; chapters that are cannot be read. */
static void note_locked(void *context, const struct element *element)
{
	struct book *book = context;
	char uri[512];

	if (strcmp(element->name, "CipherReference") == 0 && book->n_locked < MAX_ITEMS &&
		sax_attribute(element, "URI", uri, sizeof(uri)))
		book->locked[book->n_locked++] = package_resolve(book->arena, "", uri);
}

static void note_item(struct book *book, const struct element *element)
{
	char id[256], href[512];
	struct item *item = &book->items[book->n_items];

	if (book->n_items == MAX_ITEMS)
		refuse(FILE_TOO_LARGE, "The book has more than %d parts.", MAX_ITEMS);
	sax_attribute(element, "id", id, sizeof(id));
	sax_attribute(element, "href", href, sizeof(href));
	item->id = arena_strdup(book->arena, id);
	item->name = package_resolve(book->arena, book->package, href);
	book->n_items++;
}

static void note_chapter(struct book *book, const struct element *element)
{
	char id[256];

	sax_attribute(element, "idref", id, sizeof(id));
	for (int i = 0; i < book->n_items && book->n_chapters < MAX_ITEMS; i++)
		if (book->items[i].name != NULL && strcmp(book->items[i].id, id) == 0) {
			book->chapters[book->n_chapters++] = book->items[i].name;
			return;
		}
}

static void note_content(void *context, const struct element *element)
{
	if (strcmp(element->name, "item") == 0)
		note_item(context, element);
	else if (strcmp(element->name, "itemref") == 0)
		note_chapter(context, element);
}

static void read_list(struct book *book, const char *name, void (*begin)(void *, const struct element *))
{
	struct sax sax = {.begin = begin};
	struct arena *arena = job_arena();
	struct feed *feed = name != NULL ? package_member(arena, name) : NULL;

	if (feed != NULL)
		sax_read(feed, &sax, book);
	arena_free(arena);
}

static void read_chapter(const struct book *book, const char *name)
{
	struct arena *arena = job_arena();
	struct feed *feed;

	for (int i = 0; i < book->n_locked; i++)
		if (book->locked[i] != NULL && strcmp(book->locked[i], name) == 0)
			refuse(FILE_ENCRYPTED, "The book is encrypted.");
	feed = package_member(arena, name);
	flow_break(2);
	if (feed != NULL)
		markup_read(charset_markup(arena, feed, NULL));
	arena_free(arena);
}

void epub_read(void)
{
	static const struct property properties[] = {{"title", META_TITLE}, {"creator", META_AUTHOR},
		{"description", META_DESCRIPTION}, {"date", META_PUBLISHED}, {"language", META_LANGUAGE}, {NULL, 0}};
	static struct book book;

	book.arena = output_arena();
	package_open();
	read_list(&book, "META-INF/container.xml", find_package);
	if (book.package == NULL || !package_has(book.package))
		refuse(FILE_BROKEN, "The list of the book's parts is missing.");
	properties_read(book.package, properties);
	read_list(&book, book.package, note_content);
	read_list(&book, "META-INF/encryption.xml", note_locked);
	for (int i = 0; i < book.n_chapters; i++)
		read_chapter(&book, book.chapters[i]);
	output_end();
}
