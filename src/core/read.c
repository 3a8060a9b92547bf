/* SPDX-License-Identifier: ISC */
#include "core/read.h"

#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/slug.h"
#include "base/temp.h"
#include "core/embed.h"
#include "core/extract.h"
#include "core/job.h"
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

static int extract_documents(struct task *task, const struct config *config, struct file *file, struct reading *reading)
{
	struct extracted from;
	const char *sheets;
	int i;

	if (extract_file(task, config, file->fd, file->name, file->type, &from) < 0)
		return -1;
	from.kind = from.kind == NULL ? "" : from.kind;
	sheets = strstr(from.kind, "sheet") == NULL ? NULL : sheet_folder(task->arena, file);
	make_documents(task->arena, reading, from.n_parts);
	for (i = 0; i < from.n_parts; i++)
		fill_document(task->arena, file, reading, &from, i, sheets, &reading->documents[i]);
	return 0;
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

/* Whether it was read before: the documents then are filled in.  1, 0, or -1 on failure. */
static int find_twin(struct task *task, const struct file *file, struct reading *reading)
{
	const char *args[] = {(const char *)file->sha256, file->name, file->meta == NULL ? "{}" : file->meta};
	const int lengths[] = {sizeof(file->sha256), 0, 0};
	struct db_call call = {.stmt = &sql_file_twin, .args = args, .n_args = 3, .lengths = lengths};
	int i;

	if (db_run(task, &call, 1) < 0)
		return -1;
	make_documents(task->arena, reading, PQntuples(call.rows));
	for (i = 0; i < reading->n_documents; i++)
		if (fill_from_twin(task->arena, file, reading, call.rows, i, &reading->documents[i]) < 0)
			return 0;
	return i > 0;
}

/* Append the text of a version to a file; 1 when the disk is full, -1 with the reason in the task. */
static int append_text(struct task *task, struct arena *small, int fd, struct document *d)
{
	int no;

	for (no = 0, d->text_len = 0;; no++) {
		PGresult *rows = db_rows_in(small, task, &sql_document_read, ARGS(d->version, db_int_arg(small, no)));

		if (rows == NULL)
			return -1;
		if (PQntuples(rows) == 0)
			return 0;
		if (temp_write(fd, PQgetvalue(rows, 0, 0), (size_t)PQgetlength(rows, 0, 0)) < 0)
			return 1;
		d->text_len += (size_t)PQgetlength(rows, 0, 0);
		arena_empty(small);
	}
}

int read_texts(struct task *task, struct document *documents, int n)
{
	struct arena *small;
	int fd, result, i;
	const char *text = NULL;
	size_t len;

	for (i = 0; i < n && documents[i].text != NULL; i++)
		;
	if (i == n)
		return 0;
	small = arena_within(task->arena);
	fd = temp_open(task->arena);
	result = fd < 0 ? 1 : 0;
	for (; i < n && result == 0; i++)
		if (documents[i].text == NULL)
			result = append_text(task, small, fd, &documents[i]);
	if (result == 0)
		text = temp_map(task->arena, fd, &len);
	if (result > 0 || text == MAP_FAILED)
		return fail(task, 503, "disk", "There is no place for the text at the moment.");
	for (i = 0; i < n && result == 0; i++)
		if (documents[i].text == NULL) {
			documents[i].text = text;
			documents[i].mapped = text != NULL;
			text += documents[i].text_len;
		}
	return result;
}

/* ---- where documents are wanted ---- */

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

/* Before anybody hears that a file has been read: its vectors by the tenant's embedder, so that it can be asked about
 * by itself, and the workspaces that wait for it. */
static int hand_out(
	struct task *task, const struct config *config, const struct file *file, const struct reading *reading)
{
	int i;

	for (i = 0; i < reading->n_documents; i++)
		if (embed_titled(task, config, 0, reading->documents[i].version, reading->documents[i].title) < 0)
			return -1;
	return serve_waiting(task, config, file->id);
}

/* ---- reading ---- */

/* Store the documents, all or none. */
static int store(struct task *task, const struct config *config, const struct file *file, struct reading *reading)
{
	int i;

	for (i = 0; i < reading->n_documents; i++)
		if (ingest_document(task, config, file, &reading->documents[i]) < 0)
			break;
	if (i == reading->n_documents && (!reading->awaited || hand_out(task, config, file, reading) == 0) &&
		file_settle(task, file, "done", NULL) == 0)
		return 0;
	if (i > 0)
		file_clear(task, file);
	return -1;
}

int read_file(struct task *task, const struct config *config, struct file *file, struct reading *reading)
{
	int known = find_twin(task, file, reading);

	if (known < 0)
		return -1;
	if (known > 0) {
		if (store(task, config, file, reading) == 0)
			return 0;
		if (strcmp(task->failure.code, "version_gone") != 0)
			return -1;
		fail_clear(task); /* deleted in this very moment: ours has to be read after all */
	}
	if (extract_documents(task, config, file, reading) < 0)
		return -1;
	return store(task, config, file, reading);
}

int read_later(struct task *task, const char *file_id)
{
	const char *const pending[] = {file_id, "pending", NULL}, *const job[] = {"read_file", file_id};
	struct db_call calls[] = {{.stmt = &sql_file_settle, .args = pending, .n_args = 3},
		{.stmt = &sql_job_enqueue, .args = job, .n_args = 2}};

	if (db_run(task, calls, 2) < 0)
		return -1;
	if (PQntuples(calls[0].rows) == 0)
		return fail(task, 404, "file_unknown", "The file is gone.");
	job_stir();
	return 0;
}

/* The sentences that clients of Open WebUI look for. */
static int reword(struct task *task, const char *type)
{
	struct failure *failure = &task->failure;

	if (strcmp(failure->code, "file_empty") == 0 || strcmp(failure->code, "file_no_text") == 0)
		failure->message = "The content provided is empty. Please ensure that there is text or data present "
				   "before proceeding.";
	else if (strcmp(failure->code, "file_unknown_kind") == 0 && type != NULL)
		failure->message = arena_printf(task->arena, "File type %s is not supported for processing", type);
	return -1;
}

static int read_pending(struct task *task, const struct config *config, struct file *file)
{
	struct reading reading = {.awaited = true};

	/* A try that broke off may have left some. */
	if (file_clear(task, file) < 0 || file_load(task, file) < 0)
		return -1;
	if (secret_sha256_file(file->fd, file->sha256) < 0)
		return fail(task, 503, "disk", "The temporary file cannot be read.");
	return read_file(task, config, file, &reading) < 0 ? reword(task, file->type) : 0;
}

int read_job(struct task *task, const struct config *config, const char *file_id)
{
	struct file file = {.id = file_id};
	PGresult *rows = db_rows(task, &sql_file_find, ARGS(file_id));
	const char *state;

	if (rows == NULL)
		return -1;
	state = PQntuples(rows) == 0 ? "gone" : db_text(rows, 0, "state");
	if (strcmp(state, "pending") != 0 && strcmp(state, "done") != 0)
		return 0;
	file.uuid = db_text(rows, 0, "uuid");
	file.name = db_text(rows, 0, "name");
	file.type = db_text(rows, 0, "content_type");
	file.meta = db_text(rows, 0, "meta");
	if (strcmp(state, "pending") == 0 && read_pending(task, config, &file) < 0)
		return -1;
	/* Who asked for it while it became ready. */
	return serve_waiting(task, config, file_id);
}

void read_job_failed(struct task *task, const struct config *config, const char *file_id, const char *reason)
{
	const struct file file = {.id = file_id};

	(void)config;
	if (file_settle(task, &file, "failed", reason) < 0)
		log_event(LOG_WARNING, task, "file_left", "file=%s", file_id);
}
