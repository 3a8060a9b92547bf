/* SPDX-License-Identifier: ISC */
#include "core/describe.h"

#include <string.h>

#include "base/slug.h"
#include "store/db.h"
#include "store/secret.h"

enum { STEM_BYTES = 180 }; /* of a document's name, so that with its uuid it stays below 255 */

/* What documents of a kind say of themselves when nobody else does (contract/anythingllm.md section 2.3). */
static const struct description {
	const char *kind; /* a MIME type, or the beginning of one up to its slash */
	const char *author, *description, *source;
} descriptions[] = {
	{"application/pdf", "no author found", "No description found.", "pdf file uploaded by the user."},
	{"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "no author found",
		"No description found.", "docx file uploaded by the user."},
	{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Unknown", "Unknown",
		"an xlsx file uploaded by the user."},
	{"application/vnd.openxmlformats-officedocument.presentationml.presentation", "no author found",
		"No description found.", "Office file uploaded by the user."},
	{"application/vnd.oasis.opendocument.", "no author found", "No description found.",
		"Office file uploaded by the user."},
	{"application/mbox", "Unknown", "No description found.", "Mbox message file uploaded by the user."},
	{"application/epub+zip", "Unknown", "Unknown", "epub file uploaded by the user."},
	{"image/", "Unknown", "Unknown", "image file uploaded by the user."},
	{"audio/", "no author found", "No description found.", "audio file uploaded by the user."},
	{"video/", "no author found", "No description found.", "audio file uploaded by the user."},
	{"link", "no author found", "No description found.", "URL link uploaded by the user."},
	{"", "Unknown", "Unknown", "a text file uploaded by the user."},
};

static const struct description *describe(const char *kind)
{
	const struct description *d;

	for (d = descriptions; strncmp(kind == NULL ? "" : kind, d->kind, strlen(d->kind)) != 0; d++)
		;
	return d;
}

static const char *first_of(const char *a, const char *b, const char *c)
{
	return a != NULL && *a != '\0' ? a : b != NULL && *b != '\0' ? b : c;
}

static const char *stem_of(struct arena *arena, const char *name)
{
	char *slug = slug_make(arena, SLUG_FILE, name);

	slug[strnlen(slug, STEM_BYTES)] = '\0';
	return slug;
}

/* Where a document lies and what it is called: sheets in a folder of their workbook's, mails by number. */
static void name_document(struct arena *arena, const struct file *file, const struct reading *reading,
	const struct extracted *from, int no, const char *sheets, struct document *d)
{
	const char *stem = reading->stem == NULL ? stem_of(arena, file->name) : reading->stem;
	const char *label = reading->label == NULL ? file->name : reading->label;

	d->folder = reading->folder == NULL ? "custom-documents" : reading->folder;
	if (from->n_parts == 1 && from->parts[0].title == NULL) {
		d->uuid = file->uuid;
		d->name = arena_printf(arena, "%s-%s.json", stem, d->uuid);
		d->title = first_of(reading->title, NULL, label);
	} else if (sheets != NULL) {
		const char *sheet = first_of(from->parts[no].title, NULL, "Sheet");

		d->folder = reading->folder == NULL ? sheets : reading->folder;
		d->uuid = no == 0 ? file->uuid : secret_new_uuid(arena);
		d->name = arena_printf(arena, "sheet-%s-%s.json", stem_of(arena, sheet), d->uuid);
		d->title = first_of(reading->title, NULL, arena_printf(arena, "%s - Sheet:%s", label, sheet));
		d->description = first_of(
			reading->description, NULL, arena_printf(arena, "Spreadsheet data from sheet: %s", sheet));
	} else {
		const char *subject = from->parts[no].title;

		d->uuid = no == 0 ? file->uuid : secret_new_uuid(arena);
		d->name = arena_printf(arena, "%s-%s-msg-%d.json", stem, d->uuid, no + 1);
		d->title = first_of(reading->title, NULL,
			subject != NULL && *subject != '\0' ? arena_printf(arena, "%s.mbox", stem_of(arena, subject))
							    : arena_printf(arena, "msg_%d-%s", no + 1, label));
	}
}

static void fill_document(struct arena *arena, const struct file *file, const struct reading *reading,
	const struct extracted *from, int no, const char *sheets, struct document *d)
{
	const struct extract_part *part = &from->parts[no];
	const struct description *preset = describe(reading->link ? "link" : from->kind);

	name_document(arena, file, reading, from, no, sheets, d);
	d->url = first_of(reading->url, NULL, arena_printf(arena, "file://%s", file->name));
	d->author = first_of(reading->author, first_of(part->author, from->author, NULL), preset->author);
	d->description = first_of(reading->description,
		first_of(d->description, strcmp(from->kind, "application/pdf") == 0 ? from->title : NULL, NULL),
		preset->description);
	d->source = first_of(reading->source, NULL, preset->source);
	d->chunk_source = first_of(reading->chunk_source, NULL, "");
	d->published = read_time(arena, time(NULL));
	d->external_id = no == 0 ? reading->external_id : NULL;
	d->text = part->text;
	d->text_len = part->len;
	d->mapped = true;
	ingest_measure(d);
}

/* Sheets lie in a folder of their workbook's. */
static const char *sheet_folder(struct arena *arena, const struct file *file)
{
	return arena_printf(arena, "%s-%.4s", stem_of(arena, file->name), file->uuid);
}

static void make_documents(struct arena *arena, struct reading *reading, int n)
{
	reading->n_documents = n;
	reading->documents = arena_get(arena, (size_t)n * sizeof(*reading->documents));
}

void describe_documents(
	struct arena *arena, const struct file *file, const struct extracted *from, struct reading *reading)
{
	const char *sheets = strstr(from->kind, "sheet") == NULL ? NULL : sheet_folder(arena, file);
	int i;

	make_documents(arena, reading, from->n_parts);
	for (i = 0; i < from->n_parts; i++)
		fill_document(arena, file, reading, from, i, sheets, &reading->documents[i]);
}

/* ---- what was read before ---- */

/* The twin's name with the uuid of ours in place of its own; NULL when it was given another one since. */
static const char *twin_name(struct arena *arena, const char *name, const char *old_uuid, const char *uuid)
{
	const char *at = strstr(name, old_uuid);

	if (at == NULL)
		return NULL;
	return arena_printf(arena, "%.*s%s%s", (int)(at - name), name, uuid, at + strlen(old_uuid));
}

/* -1 when it cannot share the twin's text. */
static int fill_from_twin(struct arena *arena, const struct file *file, const struct reading *reading, PGresult *rows,
	int no, struct document *d)
{
	const char *name = db_text(rows, no, "name"), *title = db_text(rows, no, "title");
	bool sheet = strncmp(name, "sheet-", 6) == 0 && strstr(title, " - Sheet:") != NULL;

	d->uuid = no == 0 ? file->uuid : secret_new_uuid(arena);
	d->folder = reading->folder != NULL ? reading->folder : sheet ? sheet_folder(arena, file) : "custom-documents";
	d->name = twin_name(arena, name, db_text(rows, no, "uuid"), d->uuid);
	d->title = first_of(reading->title, NULL, title);
	d->url = first_of(reading->url, NULL, arena_printf(arena, "file://%s", file->name));
	d->author = first_of(reading->author, NULL, db_text(rows, no, "author"));
	d->description = first_of(reading->description, NULL, db_text(rows, no, "description"));
	d->source = first_of(reading->source, NULL, db_text(rows, no, "source"));
	d->chunk_source = first_of(reading->chunk_source, NULL, db_text(rows, no, "chunk_source"));
	d->published = read_time(arena, time(NULL));
	d->external_id = no == 0 ? reading->external_id : NULL;
	d->word_count = db_int(rows, no, "word_count");
	d->token_estimate = db_int(rows, no, "token_estimate");
	d->version = db_text(rows, no, "version_id");
	/* The words of its title are in the text's index. */
	return d->name == NULL || strcmp(d->title, title) != 0 ? -1 : 0;
}

int describe_twins(struct arena *arena, const struct file *file, PGresult *rows, struct reading *reading)
{
	int i;

	make_documents(arena, reading, PQntuples(rows));
	for (i = 0; i < reading->n_documents; i++)
		if (fill_from_twin(arena, file, reading, rows, i, &reading->documents[i]) < 0)
			return 0;
	return i > 0;
}

void describe_members(struct str *out, const struct document *d)
{
	str_json_member(out, "\"id\":", d->uuid);
	str_json_member(out, ",\"url\":", d->url);
	str_json_member(out, ",\"title\":", d->title);
	str_json_member(out, ",\"docAuthor\":", d->author);
	str_json_member(out, ",\"description\":", d->description);
	str_json_member(out, ",\"docSource\":", d->source);
	str_json_member(out, ",\"chunkSource\":", d->chunk_source);
	str_json_member(out, ",\"published\":", d->published);
	str_printf(out, ",\"wordCount\":%lld", (long long)d->word_count);
}
