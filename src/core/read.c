/* SPDX-License-Identifier: ISC */
#include "core/read.h"

#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/temp.h"
#include "core/describe.h"
#include "core/embed.h"
#include "core/extract.h"
#include "core/job.h"
#include "store/db.h"
#include "store/secret.h"

const char *read_time(struct arena *arena, time_t seconds)
{
	struct tm utc;
	int hour;

	gmtime_r(&seconds, &utc);
	hour = utc.tm_hour % 12;
	return arena_printf(arena, "%d/%d/%d, %d:%02d:%02d %s", utc.tm_mon + 1, utc.tm_mday, utc.tm_year + 1900,
		hour == 0 ? 12 : hour, utc.tm_min, utc.tm_sec, utc.tm_hour < 12 ? "AM" : "PM");
}

static int extract_documents(struct task *task, const struct config *config, struct file *file, struct reading *reading)
{
	struct extracted from;

	if (extract_file(task, config, file->fd, file->name, file->type, &from) < 0)
		return -1;
	from.kind = from.kind == NULL ? "" : from.kind;
	describe_documents(task->arena, file, &from, reading);
	return 0;
}

/* ---- what was read before ---- */

/* Whether it was read before: the documents then are filled in.  1, 0, or -1 on failure. */
static int find_twin(struct task *task, const struct file *file, struct reading *reading)
{
	const char *args[] = {(const char *)file->sha256, file->name, file->meta == NULL ? "{}" : file->meta};
	const int lengths[] = {sizeof(file->sha256), 0, 0};
	struct db_call call = {.stmt = &sql_file_twin, .args = args, .n_args = 3, .lengths = lengths};

	return db_run(task, &call, 1) < 0 ? -1 : describe_twins(task->arena, file, call.rows, reading);
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
		return temp_fail(task, "the text");
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

int read_place_once(struct task *task, const struct config *config, const char *workspace_id, const char *file_id)
{
	PGresult *rows = db_rows(task, &sql_knowledge_same_text, ARGS(workspace_id, file_id));

	if (rows == NULL)
		return -1;
	if (!db_true(rows, 0, "found"))
		return read_place(task, config, workspace_id, file_id);
	if (db_rows(task, &sql_knowledge_unwait, ARGS(workspace_id, file_id)) == NULL)
		return -1;
	return fail(task, 400, "file_duplicate",
		"400: Duplicate content detected. Please provide unique content to proceed.");
}

/* Workspaces that have waited for the file.  It is left out of one that has its text already, as it would have been had
 * it been ready. */
static int serve_waiting(struct task *task, const struct config *config, const char *file_id)
{
	PGresult *rows = db_rows(task, &sql_knowledge_waiting, ARGS(file_id));
	int i;

	for (i = 0; rows != NULL && i < PQntuples(rows); i++) {
		const char *workspace = PQgetvalue(rows, i, 0);

		if (read_place_once(task, config, workspace, file_id) == 0)
			continue;
		if (strcmp(task->failure.code, "file_duplicate") != 0)
			return -1;
		log_event(LOG_INFO, task, "document_left_out", "file=%s workspace=%s code=file_duplicate", file_id,
			workspace);
		fail_clear(task);
	}
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
	if (i == reading->n_documents)
		ingest_count_failure(task);
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
	if (extract_documents(task, config, file, reading) < 0) {
		ingest_count_failure(task);
		return -1;
	}
	return store(task, config, file, reading);
}

int read_passing(struct task *task, const struct config *config, struct file *file, struct reading *reading)
{
	return extract_documents(task, config, file, reading);
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
