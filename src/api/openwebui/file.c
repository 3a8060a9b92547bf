/* SPDX-License-Identifier: ISC */
#include "api/openwebui/file.h"

#include <string.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/field.h"
#include "base/log.h"
#include "core/embed.h"
#include "core/read.h"
#include "store/db.h"
#include "store/secret.h"
#include "web/reply.h"
#include "web/stream.h"

enum { SEARCH_PRESET = 100, SEARCH_MOST = 1000, LIST_MOST = 1000000, WATCH_S = 7200 };

static int not_found(struct request *req)
{
	return fail(&req->task, 404, "file_unknown", OPENWEBUI_NOT_FOUND);
}

int openwebui_unread(struct request *req)
{
	return fail(&req->task, 400, "file_unread",
		"Extracted content is not available for this file. Please ensure that the file is processed before "
		"proceeding.");
}

bool openwebui_is_uuid(const char *text)
{
	size_t i;

	for (i = 0; text[i] != '\0' && i < UUID_TEXT; i++)
		if ((i == 8 || i == 13 || i == 18 || i == 23) ? text[i] != '-'
							      : strchr("0123456789abcdefABCDEF", text[i]) == NULL)
			return false;
	return i == UUID_TEXT - 1;
}

PGresult *openwebui_find_file(struct request *req, const char *uuid)
{
	PGresult *rows =
		uuid == NULL || !openwebui_is_uuid(uuid) ? NULL : db_rows(&req->task, &sql_file_show, ARGS(uuid));

	if (rows != NULL && PQntuples(rows) == 1)
		return rows;
	if (req->task.failure.status == 0)
		not_found(req);
	return NULL;
}

/* The file that the path names; with `to_write` only where the caller may change it. */
static PGresult *find(struct request *req, bool to_write)
{
	PGresult *rows = openwebui_find_file(req, request_param(req, "id"));

	if (rows == NULL || !to_write || db_true(rows, 0, "writable"))
		return rows;
	not_found(req);
	return NULL;
}

/* ---- objects ---- */

void openwebui_put(struct request *req, const char *text)
{
	if (!req->head)
		wire_write(req->wire, text, strlen(text));
}

/* A part of a file's texts; NULL behind the last.  Nobody is to take what has left for the whole when the rest cannot
 * be read, or when it is another text by now: the answer is cut then.  *versions: NULL before the first. */
static PGresult *text_part(struct request *req, struct arena *small, const char *id, int64_t no, const char **versions)
{
	PGresult *rows = db_rows_in(small, &req->task, &sql_file_text, ARGS(id, db_int_arg(small, no)));

	if (rows != NULL && *versions == NULL)
		*versions = arena_strdup(req->task.arena, db_text(rows, 0, "versions"));
	if (rows == NULL || strcmp(db_text(rows, 0, "versions"), *versions) != 0) {
		wire_cut(req->wire);
		return NULL;
	}
	return db_text(rows, 0, "text") == NULL ? NULL : rows;
}

void openwebui_put_text(struct request *req, const char *id)
{
	struct arena *small = arena_within(req->task.arena);
	const char *versions = NULL;
	int64_t no;

	for (no = 0; !req->wire->gone; no++) {
		PGresult *rows = text_part(req, small, id, no, &versions);
		struct str *out = str_new(small);

		if (rows == NULL)
			break;
		if (no > 0 && db_true(rows, 0, "first"))
			openwebui_put(req, " ");
		str_json_text(out, db_text(rows, 0, "text"));
		out->at[out->len - 1] = '\0';
		openwebui_put(req, out->at + 1);
		arena_empty(small);
	}
}

void openwebui_put_file(struct request *req, PGresult *rows, int row, bool with_text, const char *more)
{
	openwebui_put(req, db_text(rows, row, "head"));
	if (with_text && db_true(rows, row, "readable")) {
		openwebui_put(req, ",\"content\":\"");
		openwebui_put_text(req, db_text(rows, row, "id"));
		openwebui_put(req, "\"");
	}
	openwebui_put(req, db_text(rows, row, "tail"));
	openwebui_put(req, more);
	openwebui_put(req, "}");
}

static void begin(struct request *req)
{
	reply_head(req, 200, "application/json; charset=utf-8", -1, NULL);
}

static int reply_files(struct request *req, PGresult *rows)
{
	bool with_text = true;
	int i;

	if (openwebui_flag(req, "content", &with_text) < 0)
		return -1;
	begin(req);
	for (i = 0; i < PQntuples(rows); i++) {
		openwebui_put(req, i == 0 ? "[" : ",");
		openwebui_put_file(req, rows, i, with_text, "");
	}
	openwebui_put(req, i == 0 ? "[]" : "]");
	return 0;
}

/* ---- lists ---- */

static PGresult *list(struct request *req, const char *pattern, int64_t limit, int64_t skip)
{
	struct arena *arena = req->task.arena;

	return db_rows(&req->task, &sql_file_list, ARGS(pattern, db_int_arg(arena, limit), db_int_arg(arena, skip)));
}

int openwebui_file_list(struct request *req)
{
	PGresult *rows = list(req, NULL, LIST_MOST, 0);

	return rows == NULL ? -1 : reply_files(req, rows);
}

int openwebui_file_search(struct request *req)
{
	const char *name = request_query(req, "filename");
	int64_t limit = openwebui_number(req, "limit", SEARCH_PRESET, SEARCH_MOST);
	PGresult *rows;

	if (name == NULL)
		return fail_field(&req->task, 422, "field_missing", "query.filename", "Field required");
	rows = list(req, openwebui_pattern(req->task.arena, name, false), limit < 1 ? 1 : limit,
		openwebui_number(req, "skip", 0, LIST_MOST));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return fail(&req->task, 404, "file_unknown", "No files found matching the pattern.");
	return reply_files(req, rows);
}

/* ---- one file ---- */

int openwebui_file_show(struct request *req)
{
	PGresult *rows = find(req, false);

	if (rows == NULL)
		return -1;
	begin(req);
	openwebui_put_file(req, rows, 0, true, "");
	return 0;
}

int openwebui_file_delete(struct request *req)
{
	PGresult *rows = find(req, true);

	if (rows == NULL || db_rows(&req->task, &sql_file_delete, ARGS(db_text(rows, 0, "id"))) == NULL)
		return -1;
	return reply_json_text(req, 200, "{\"message\":\"File deleted successfully\"}");
}

int openwebui_file_delete_all(struct request *req)
{
	if (db_rows(&req->task, &sql_file_delete_all, NO_ARGS) == NULL)
		return -1;
	return reply_json_text(req, 200, "{\"message\":\"All files deleted successfully\"}");
}

/* {"status":"failed","error":"..."} */
static const char *status_object(struct request *req, PGresult *rows)
{
	struct str *out = str_new(req->task.arena);

	str_printf(out, "{\"status\":\"%s\"", db_text(rows, 0, "status"));
	if (db_text(rows, 0, "reason") != NULL) {
		str_puts(out, ",\"error\":");
		str_json_text(out, db_text(rows, 0, "reason"));
	}
	str_puts(out, "}");
	return out->at;
}

static bool is_final(PGresult *rows)
{
	return strcmp(db_text(rows, 0, "status"), "pending") != 0;
}

/* A frame a second until the file has been read. */
static int stream_status(struct request *req, PGresult *rows)
{
	int64_t deadline_ms = clock_ms() + WATCH_S * 1000;
	struct stream stream;
	const char *frame = status_object(req, rows);

	stream_open(&stream, req, "text/event-stream; charset=utf-8");
	while (stream_event(&stream, frame, strlen(frame)) == 0 && !req->head && !is_final(rows) &&
		clock_ms() < deadline_ms) {
		clock_pause_ms(1000);
		if (wire_gone(req->wire))
			return 0;
		rows = find(req, false);
		if (rows == NULL && req->task.failure.status != 404) { /* it may well be there */
			wire_cut(req->wire);
			return -1;
		}
		if (rows == NULL) {
			fail_clear(&req->task);
			stream_event(&stream, "{\"status\":\"not_found\"}", 22);
			return 0;
		}
		frame = status_object(req, rows);
	}
	return 0;
}

int openwebui_file_status(struct request *req)
{
	PGresult *rows = find(req, false);
	bool stream = false;

	if (rows == NULL || openwebui_flag(req, "stream", &stream) < 0)
		return -1;
	if (stream)
		return stream_status(req, rows);
	return reply_json_text(req, 200, status_object(req, rows));
}

/* ---- its text ---- */

static int reply_text_of(struct request *req, PGresult *rows)
{
	begin(req);
	openwebui_put(req, "{\"content\":\"");
	if (db_true(rows, 0, "readable"))
		openwebui_put_text(req, db_text(rows, 0, "id"));
	openwebui_put(req, "\"}");
	return 0;
}

int openwebui_file_text(struct request *req)
{
	PGresult *rows = find(req, false);

	return rows == NULL ? -1 : reply_text_of(req, rows);
}

int openwebui_replace_text(struct request *req, PGresult *file, const char *text)
{
	struct document d = {.text = text, .text_len = strlen(text)};
	PGresult *documents;

	if (!db_true(file, 0, "writable"))
		return not_found(req);
	documents = db_rows(&req->task, &sql_file_documents, ARGS(db_text(file, 0, "id")));
	if (documents == NULL)
		return -1;
	if (PQntuples(documents) == 0)
		return openwebui_unread(req);
	d.id = db_int(documents, 0, "id");
	d.title = db_text(documents, 0, "title");
	ingest_measure(&d);
	if (ingest_replace(&req->task, req->config, &d) < 0)
		return -1;
	/* Its workspaces' vectors were made before; those for who asks about the file alone follow. */
	return embed_titled(&req->task, req->config, 0, d.version, d.title);
}

int openwebui_file_text_update(struct request *req)
{
	const char *text = NULL;
	PGresult *rows;

	if (field_text(&req->task, req->json, "content", &text) < 0)
		return -1;
	if (text == NULL)
		return fail_field(&req->task, 422, "field_missing", "content", "Field required");
	rows = find(req, false);
	if (rows == NULL || openwebui_replace_text(req, rows, text) < 0)
		return -1;
	return reply_text_of(req, rows);
}

/* ---- its bytes ---- */

static const char *percent(struct arena *arena, const char *name)
{
	struct str *out = str_new(arena);

	for (; *name != '\0'; name++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~", *name) != NULL)
			str_putc(out, *name);
		else
			str_printf(out, "%%%02X", (unsigned char)*name);
	return out->at;
}

static void put_plain_text(struct request *req, const char *id)
{
	struct arena *small = arena_within(req->task.arena);
	const char *versions = NULL;
	PGresult *rows;
	int64_t no;

	for (no = 0; !req->wire->gone && (rows = text_part(req, small, id, no, &versions)) != NULL; no++) {
		openwebui_put(req, db_text(rows, 0, "text"));
		arena_empty(small);
	}
}

static void put_bytes(struct request *req, const char *id)
{
	struct arena *small = arena_within(req->task.arena);
	int64_t no;

	for (no = 0; !req->wire->gone; no++) {
		const char *args[] = {id, db_int_arg(small, no)};
		struct db_call call = {.stmt = &sql_file_read, .args = args, .n_args = 2, .binary = true};

		if (db_run_in(small, &req->task, &call, 1) < 0) {
			wire_cut(req->wire);
			break;
		}
		if (PQntuples(call.rows) == 0)
			break;
		wire_write(req->wire, PQgetvalue(call.rows, 0, 0), (size_t)PQgetlength(call.rows, 0, 0));
		arena_empty(small);
	}
}

/* What a browser would run must not run as ours. */
#define HARMLESS "Content-Security-Policy: sandbox; default-src 'none'\r\n"

/* Of two that say what it is: ours, unless the client's word can stand in a header. */
static const char *type_of(PGresult *file)
{
	const char *type = db_text(file, 0, "content_type");

	/* A head of some kB is more than web servers take. */
	return type == NULL || strpbrk(type, "\r\n") != NULL || strlen(type) > 255 ? "application/octet-stream" : type;
}

static int reply_bytes(struct request *req, PGresult *file, const char *disposition)
{
	const char *head = HARMLESS;

	if (disposition != NULL)
		head = arena_printf(req->task.arena, HARMLESS "Content-Disposition: %s; filename*=UTF-8''%s\r\n",
			disposition, percent(req->task.arena, db_text(file, 0, "name")));
	reply_head(req, 200, type_of(file), db_true(file, 0, "has_bytes") ? db_int(file, 0, "size") : -1, head);
	if (!req->head && db_true(file, 0, "has_bytes"))
		put_bytes(req, db_text(file, 0, "id"));
	else if (!req->head) /* a text that came without */
		put_plain_text(req, db_text(file, 0, "id"));
	return 0;
}

/* Everything but PDF and plain text is an attachment. */
int openwebui_file_content(struct request *req)
{
	PGresult *file = find(req, false);
	bool attach = false;
	const char *type;

	if (file == NULL || openwebui_flag(req, "attachment", &attach) < 0)
		return -1;
	type = type_of(file);
	if (!attach && strncmp(type, "text/plain", 10) == 0)
		return reply_bytes(req, file, NULL);
	return reply_bytes(req, file, !attach && strncmp(type, "application/pdf", 15) == 0 ? "inline" : "attachment");
}

int openwebui_file_download(struct request *req)
{
	PGresult *file = find(req, false);

	return file == NULL ? -1 : reply_bytes(req, file, "attachment");
}

/* To be shown by a browser: of files that an administrator handed in only. */
int openwebui_file_html(struct request *req)
{
	PGresult *file = find(req, false);

	if (file == NULL)
		return -1;
	return db_true(file, 0, "by_admin") ? reply_bytes(req, file, NULL) : not_found(req);
}
