/* SPDX-License-Identifier: ISC
 * Files come in.  They are read by a job, whose end a caller may wait for. */
#include <string.h>

#include "api/api.h"
#include "api/openwebui/file.h"
#include "base/clock.h"
#include "base/json.h"
#include "core/job.h"
#include "core/read.h"
#include "store/db.h"
#include "web/reply.h"
#include "web/upload.h"

enum { WAIT_S = 25 /* less than a worker's time to drain */, FIRST_PAUSE_MS = 20, LAST_PAUSE_MS = 500 };

/* ---- waiting ---- */

static bool is_read(struct request *req, const char *file_id)
{
	struct arena *small = arena_within(req->task.arena);
	PGresult *rows = db_rows_in(small, &req->task, &sql_file_find, ARGS(file_id));
	bool pending = rows != NULL && PQntuples(rows) == 1 && strcmp(db_text(rows, 0, "state"), "pending") == 0;

	arena_empty(small);
	return !pending;
}

int openwebui_wait(struct request *req, const char *file_id)
{
	int64_t deadline_ms = clock_ms() + WAIT_S * 1000;
	int pause_ms = FIRST_PAUSE_MS;

	while (!is_read(req, file_id)) {
		if (wire_gone(req->wire) || clock_ms() > deadline_ms)
			return fail(&req->task, 503, "file_pending", "The file is still being read; ask again later.");
		/* Without a pool nobody else is there to do it. */
		if (!req->wire->cgi || job_work(req->config, 1, 1) <= 0)
			clock_pause_ms(pause_ms);
		pause_ms = pause_ms * 2 < LAST_PAUSE_MS ? pause_ms * 2 : LAST_PAUSE_MS;
	}
	return req->task.failure.status == 0 ? 0 : -1;
}

/* ---- the form ---- */

static int missing(struct request *req)
{
	struct failure *failure = &req->task.failure;
	bool nothing = strcmp(failure->code, "type_unsupported") == 0 && req->body_announced <= 0;

	if (!nothing && strcmp(failure->code, "file_missing") != 0)
		return -1;
	fail_clear(&req->task);
	return fail_field(&req->task, 422, "file_missing", "file", "Field required");
}

/* What the client says of the file: the text of an object, kept as it came. */
static int read_metadata(struct request *req, const struct upload_field *field, struct file *file)
{
	struct json_object *metadata;

	if (field->value == NULL || *field->value == '\0' || strcmp(field->value, "null") == 0)
		return 0;
	metadata = json_read(&req->task, field->value, field->len);
	if (json_object_is_type(metadata, json_type_object)) {
		file->meta = field->value;
		return 0;
	}
	fail_clear(&req->task);
	return fail(&req->task, 400, "metadata_invalid", "[ERROR: Invalid metadata format]");
}

static int read_form(struct request *req, struct file *file)
{
	struct upload_field fields[] = {{.name = "metadata"}, {.name = NULL}};
	struct upload form = {.file_field = "file", .fields = fields, .file = file, .open = file_open, .add = file_add};

	if (upload_read(req, &form) < 0)
		return missing(req);
	file->name = file_label(req->task.arena, form.filename);
	file->type = form.type;
	return read_metadata(req, &fields[0], file);
}

/* The object as it was before anybody has begun to read, however long one has waited since. */
static int reply(struct request *req, PGresult *rows, bool process)
{
	reply_head(req, 200, "application/json; charset=utf-8", -1, NULL);
	openwebui_put(req, db_text(rows, 0, "head"));
	openwebui_put(req, process ? "\"status\":\"pending\"" : "");
	openwebui_put(req, db_text(rows, 0, "tail"));
	openwebui_put(req, process ? ",\"status\":true}" : "}");
	return 0;
}

int openwebui_file_upload(struct request *req)
{
	struct file file = {0};
	bool process = true, background = true;
	PGresult *rows;

	if (openwebui_flag(req, "process", &process) < 0 ||
		openwebui_flag(req, "process_in_background", &background) < 0 || read_form(req, &file) < 0 ||
		file_store(&req->task, &file, "stored") < 0)
		return -1;
	rows = openwebui_find_file(req, file.uuid);
	if (rows == NULL || (process && read_later(&req->task, file.id) < 0)) {
		file_drop(&req->task, &file);
		return -1;
	}
	if (process && !background && openwebui_wait(req, file.id) < 0)
		fail_clear(&req->task); /* it goes on without us, and the status route tells how it ends */
	return reply(req, rows, process);
}
