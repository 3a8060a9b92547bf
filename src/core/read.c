/* SPDX-License-Identifier: ISC */
#include "core/read.h"

#include <string.h>

#include "base/log.h"
#include "base/slug.h"
#include "core/extract.h"
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
	{"", "Unknown", "Unknown", "a text file uploaded by the user."},
};

static const struct description *describe(const char *kind)
{
	const struct description *d;

	for (d = descriptions; strncmp(kind == NULL ? "" : kind, d->kind, strlen(d->kind)) != 0; d++)
		;
	return d;
}

const char *read_time(struct arena *arena, time_t seconds)
{
	struct tm utc;
	int hour;

	gmtime_r(&seconds, &utc);
	hour = utc.tm_hour % 12;
	return arena_printf(arena, "%d/%d/%d, %d:%02d:%02d %s", utc.tm_mon + 1, utc.tm_mday, utc.tm_year + 1900,
		hour == 0 ? 12 : hour, utc.tm_min, utc.tm_sec, utc.tm_hour < 12 ? "AM" : "PM");
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
	const char *stem = stem_of(arena, file->name);

	d->folder = reading->folder == NULL ? "custom-documents" : reading->folder;
	if (from->n_parts == 1 && from->parts[0].title == NULL) {
		d->uuid = file->uuid;
		d->name = arena_printf(arena, "%s-%s.json", stem, d->uuid);
		d->title = first_of(reading->title, NULL, file->name);
	} else if (sheets != NULL) {
		const char *sheet = first_of(from->parts[no].title, NULL, "Sheet");

		d->folder = reading->folder == NULL ? sheets : reading->folder;
		d->uuid = no == 0 ? file->uuid : secret_new_uuid(arena);
		d->name = arena_printf(arena, "sheet-%s-%s.json", stem_of(arena, sheet), d->uuid);
		d->title = first_of(reading->title, NULL, arena_printf(arena, "%s - Sheet:%s", file->name, sheet));
		d->description = first_of(
			reading->description, NULL, arena_printf(arena, "Spreadsheet data from sheet: %s", sheet));
	} else {
		const char *subject = from->parts[no].title;

		d->uuid = no == 0 ? file->uuid : secret_new_uuid(arena);
		d->name = arena_printf(arena, "%s-%s-msg-%d.json", stem, d->uuid, no + 1);
		d->title = first_of(reading->title, NULL,
			subject != NULL && *subject != '\0' ? arena_printf(arena, "%s.mbox", stem_of(arena, subject))
							    : arena_printf(arena, "msg_%d-%s", no + 1, file->name));
	}
}

static void fill_document(struct arena *arena, const struct file *file, const struct reading *reading,
	const struct extracted *from, int no, const char *sheets, struct document *d)
{
	const struct extract_part *part = &from->parts[no];
	const struct description *preset = describe(from->kind);

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
	d->mapped = from->n_parts == 1;
	d->word_count = ingest_count_words(d->text, d->text_len);
	d->token_estimate = ingest_estimate_tokens(d->text, d->text_len);
}

static int extract_documents(struct task *task, const struct config *config, struct file *file, struct reading *reading)
{
	struct arena *arena = task->arena;
	struct extracted from;
	const char *sheets = NULL;
	int i;

	if (extract_file(task, config, file->fd, file->name, file->type, &from) < 0)
		return -1;
	from.kind = from.kind == NULL ? "" : from.kind;
	if (strstr(from.kind, "sheet") != NULL)
		sheets = arena_printf(arena, "%s-%.4s", stem_of(arena, file->name), file->uuid);
	reading->n_documents = from.n_parts;
	reading->documents = arena_get(arena, (size_t)from.n_parts * sizeof(*reading->documents));
	for (i = 0; i < from.n_parts; i++)
		fill_document(arena, file, reading, &from, i, sheets, &reading->documents[i]);
	return 0;
}

int read_file(struct task *task, const struct config *config, struct file *file, struct reading *reading)
{
	int i;

	if (extract_documents(task, config, file, reading) < 0)
		return -1;
	for (i = 0; i < reading->n_documents; i++)
		if (ingest_document(task, config, file, &reading->documents[i]) < 0)
			return -1;
	return file_settle(task, file, "done", NULL);
}

int read_place(struct task *task, const struct config *config, const char *workspace_id, const char *file_id)
{
	PGresult *documents = db_rows(task, &sql_file_documents, ARGS(file_id));
	int i;

	for (i = 0; documents != NULL && i < PQntuples(documents); i++)
		if (ingest_place(task, config, workspace_id, db_text(documents, i, "id"),
			    db_text(documents, i, "version_id")) < 0)
			return -1;
	return documents == NULL ? -1 : 0;
}

/* Workspaces that have waited for the file. */
static int serve_waiting(struct task *task, const struct config *config, const char *file_id)
{
	PGresult *rows = db_rows(task, &sql_knowledge_waiting, ARGS(file_id));
	int i;

	for (i = 0; rows != NULL && i < PQntuples(rows); i++)
		if (read_place(task, config, PQgetvalue(rows, i, 0), file_id) < 0)
			return -1;
	return rows == NULL ? -1 : 0;
}

int read_job(struct task *task, const struct config *config, const char *file_id)
{
	struct file file = {.id = file_id};
	struct reading reading = {0};
	PGresult *rows = db_rows(task, &sql_file_find, ARGS(file_id));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0 || strcmp(db_text(rows, 0, "state"), "pending") != 0)
		return 0; /* it has gone meanwhile, or is read */
	file.uuid = db_text(rows, 0, "uuid");
	file.name = db_text(rows, 0, "name");
	file.type = db_text(rows, 0, "content_type");
	if (file_load(task, &file) < 0)
		return -1;
	return read_file(task, config, &file, &reading) < 0 ? -1 : serve_waiting(task, config, file_id);
}

void read_job_failed(struct task *task, const struct config *config, const char *file_id, const char *reason)
{
	const struct file file = {.id = file_id};

	(void)config;
	if (file_settle(task, &file, "failed", reason) < 0)
		log_event(LOG_WARNING, task, "file_left", "file=%s", file_id);
}
