/* SPDX-License-Identifier: ISC
 * Texts, pages and files put into collections by their names. */
#include <string.h>

#include "api/api.h"
#include "api/openwebui/collection.h"
#include "api/openwebui/file.h"
#include "base/field.h"
#include "base/str.h"
#include "base/utf8.h"
#include "core/embed.h"
#include "core/extract.h"
#include "core/fetch.h"
#include "core/read.h"
#include "store/db.h"
#include "store/secret.h"
#include "web/reply.h"

enum { TEXT_DIGITS = 64, PAGE_DIGITS = 63, NAME_BYTES = 255 };

static int read_required(struct request *req, const char *name, const char **value)
{
	*value = NULL;
	if (field_text(&req->task, req->json, name, value) < 0)
		return -1;
	return *value == NULL ? fail_field(&req->task, 422, "field_missing", name, "Field required") : 0;
}

/* What a text or page is called that nobody gives a collection: by its hash. */
static const char *name_by_hash(struct arena *arena, const char *text, int digits)
{
	unsigned char hash[32];
	struct str *out = str_new(arena);
	int i;

	secret_sha256(text, strlen(text), hash);
	for (i = 0; i < 32; i++)
		str_printf(out, "%02x", hash[i]);
	return arena_copy(arena, out->at, (size_t)digits);
}

/* The form that errors about contents have here. */
static int reword(struct request *req)
{
	struct failure *failure = &req->task.failure;

	if (failure->status != 422 || failure->field != NULL)
		return -1;
	failure->status = 400;
	failure->message = arena_printf(req->task.arena, "[ERROR: %s]", failure->message);
	return -1;
}

/* Put what was read in a file where it is wanted, and call the file read.  Without a place it is taken away again. */
static int finish(struct request *req, const struct file *file, struct openwebui_target *into)
{
	if (openwebui_make_target(req, into) == 0 &&
		(into->workspace_id == NULL ||
			read_place(&req->task, req->config, into->workspace_id, file->id) == 0) &&
		file_settle(&req->task, file, "done", NULL) == 0)
		return 0;
	file_drop(&req->task, file);
	return -1;
}

/* ---- a text ---- */

static void describe(struct request *req, const char *name, const char *text, const char *key, struct document *d)
{
	struct arena *arena = req->task.arena;

	d->uuid = secret_new_uuid(arena);
	d->folder = "custom-documents";
	d->name = arena_printf(arena, "text-%s.json", d->uuid);
	d->title = name;
	d->url = arena_printf(arena, "file://%s", name);
	d->author = "Unknown";
	d->description = "Unknown";
	d->source = "a text handed in by a program.";
	d->chunk_source = "";
	d->published = read_time(arena, time(NULL));
	d->external_id = openwebui_own_name(req, key);
	d->text = text;
	d->text_len = strlen(text);
	ingest_measure(d);
}

static int store_text(struct request *req, const char *name, struct document *d, struct openwebui_target *into)
{
	struct file file = {.name = name, .type = "text/plain", .meta = "{}"};

	if (file_store_empty(&req->task, &file, d->text_len) < 0)
		return -1;
	if (ingest_document(&req->task, req->config, &file, d) == 0 &&
		embed_titled(&req->task, req->config, 0, d->version, d->title) == 0)
		return finish(req, &file, into);
	file_drop(&req->task, &file);
	return -1;
}

int openwebui_process_text(struct request *req)
{
	struct arena *arena = req->task.arena;
	struct openwebui_target into;
	struct document d = {0};
	const char *name, *text, *key;
	struct str *out = str_new(arena);

	if (read_required(req, "name", &name) < 0 || read_required(req, "content", &text) < 0 ||
		openwebui_read_target(req, &into) < 0)
		return -1;
	if (text[strspn(text, " \t\r\n")] == '\0')
		return fail(&req->task, 400, "text_missing",
			"The content provided is empty. Please ensure that there is text or data present before "
			"proceeding.");
	name = file_label(arena, name);
	key = name_by_hash(arena, text, TEXT_DIGITS);
	describe(req, name, text, key, &d);
	if (store_text(req, name, &d, &into) < 0)
		return reword(req);
	str_puts(out, "{\"status\":true,\"collection_name\":");
	str_json_text(out, into.name == NULL ? key : into.name);
	str_puts(out, ",\"content\":");
	str_json_text(out, text);
	str_puts(out, "}");
	return reply_json(req, 200, out->at, out->len);
}

/* ---- a page ---- */

static int read_url(struct request *req, struct url *url)
{
	const char *text;

	if (read_required(req, "url", &text) < 0)
		return -1;
	return fetch_read_url(&req->task, req->config, text, url) < 0 ? reword(req) : 0;
}

static void put_member(struct request *req, const char *before, const char *text)
{
	struct str *out = str_new(req->task.arena);

	str_json_member(out, before, text);
	openwebui_put(req, out->at);
}

static void begin_reply(struct request *req)
{
	reply_head(req, 200, "application/json; charset=utf-8", -1, NULL);
}

/* What stands on it, and nothing is kept. */
static int reply_unstored(struct request *req, struct file *file)
{
	struct extracted page;
	struct str *text = str_new(req->task.arena);
	int i;

	if (extract_file(&req->task, req->config, file->fd, file->name, file->type, &page) < 0)
		return reword(req);
	for (i = 0; i < page.n_parts; i++) {
		str_puts(text, i == 0 ? "" : " ");
		str_add(text, page.parts[i].text, page.parts[i].len);
	}
	begin_reply(req);
	put_member(req, "{\"status\":true,\"content\":", text->at);
	openwebui_put(req, "}");
	return 0;
}

static int store_page(
	struct request *req, struct file *file, const struct url *url, const char *key, struct openwebui_target *into)
{
	struct arena *arena = req->task.arena;
	struct reading reading = {.title = url->text,
		.chunk_source = arena_printf(arena, "link://%s", url->text),
		.external_id = openwebui_own_name(req, key),
		.link = true,
		.awaited = true};
	struct str *meta = str_new(arena);

	str_puts(meta, "{\"link\":");
	str_json_text(meta, url->text);
	str_puts(meta, "}");
	file->meta = meta->at;
	file->name = arena_copy(arena, url->text, utf8_cut(url->text, strlen(url->text), NAME_BYTES));
	if (file_store(&req->task, file, "receiving") < 0)
		return -1;
	if (read_file(&req->task, req->config, file, &reading) == 0)
		return finish(req, file, into);
	file_drop(&req->task, file);
	return -1;
}

static int reply_page(struct request *req, const struct file *file, const char *url, const char *collection)
{
	begin_reply(req);
	put_member(req, "{\"status\":true,\"collection_name\":", collection);
	put_member(req, ",\"filename\":", url);
	openwebui_put(req, ",\"file\":{\"data\":{\"content\":\"");
	openwebui_put_text(req, file->id);
	put_member(req, "\"},\"meta\":{\"name\":", url);
	put_member(req, ",\"source\":", url);
	openwebui_put(req, "}}}");
	return 0;
}

int openwebui_process_web(struct request *req)
{
	static const char *const no_headers[] = {NULL};
	struct openwebui_target into;
	struct file file = {.meta = "{}"};
	struct url url;
	bool process = true;
	const char *key;

	if (openwebui_flag(req, "process", &process) < 0 || read_url(req, &url) < 0 ||
		openwebui_read_target(req, &into) < 0)
		return -1;
	if (fetch_url(&req->task, req->config, &url, no_headers, &file) < 0)
		return reword(req);
	if (!process)
		return reply_unstored(req, &file);
	key = name_by_hash(req->task.arena, url.text, PAGE_DIGITS);
	if (store_page(req, &file, &url, key, &into) < 0)
		return reword(req);
	return reply_page(req, &file, url.text, into.name == NULL ? key : into.name);
}

/* ---- a file ---- */

/* A file whose text is there: what has not been read yet, or could not be, is read now. */
static PGresult *find_read(struct request *req, const char *uuid)
{
	PGresult *file = openwebui_find_file(req, uuid);
	const char *state = file == NULL ? "" : db_text(file, 0, "state");

	if (file == NULL || strcmp(state, "done") == 0)
		return file;
	if ((strcmp(state, "pending") != 0 && read_later(&req->task, db_text(file, 0, "id")) < 0) ||
		openwebui_wait(req, db_text(file, 0, "id")) < 0)
		return NULL;
	file = openwebui_find_file(req, uuid);
	if (file == NULL || strcmp(db_text(file, 0, "state"), "failed") != 0)
		return file;
	fail(&req->task, 400, "file_unread", "[ERROR: %s]", db_text(file, 0, "reason"));
	return NULL;
}

int openwebui_process_file(struct request *req)
{
	struct openwebui_target into;
	const char *uuid, *text = NULL;
	PGresult *file;

	if (read_required(req, "file_id", &uuid) < 0 || field_text(&req->task, req->json, "content", &text) < 0 ||
		openwebui_read_target(req, &into) < 0)
		return -1;
	file = find_read(req, uuid);
	if (file == NULL || (text != NULL && openwebui_replace_text(req, file, text) < 0) ||
		openwebui_make_target(req, &into) < 0 ||
		(into.workspace_id != NULL && openwebui_knowledge_put(req, into.workspace_id, uuid) < 0))
		return -1;
	begin_reply(req);
	put_member(req, "{\"status\":true,\"collection_name\":",
		into.name == NULL ? arena_printf(req->task.arena, "file-%s", uuid) : into.name);
	put_member(req, ",\"filename\":", db_text(file, 0, "name"));
	openwebui_put(req, ",\"content\":\"");
	openwebui_put_text(req, db_text(file, 0, "id"));
	openwebui_put(req, "\"}");
	return 0;
}

/* ---- several files ---- */

struct batch {
	struct str *results, *errors;
};

static void put_result(struct str *list, const char *uuid, const char *status, const char *error)
{
	str_puts(list, list->len == 0 ? "{\"file_id\":" : ",{\"file_id\":");
	str_json_text(list, uuid);
	str_printf(list, ",\"status\":\"%s\",\"error\":", status);
	str_json_text(list, error);
	str_puts(list, "}");
}

/* What cannot be put in is told, and keeps none of the others out. */
static int put_one(struct request *req, struct batch *batch, const char *workspace_id, const char *uuid)
{
	PGresult *file = openwebui_find_file(req, uuid);
	bool done = file != NULL && strcmp(db_text(file, 0, "state"), "done") == 0;

	if (file != NULL && openwebui_knowledge_put(req, workspace_id, uuid) == 0) {
		put_result(batch->results, uuid, done ? "completed" : "pending", NULL);
		return 0;
	}
	if (req->task.failure.status == 503)
		return -1;
	put_result(batch->errors, uuid, "failed", req->task.failure.message);
	fail_clear(&req->task);
	return 0;
}

static int read_id(struct request *req, struct json_object *member, const char **uuid)
{
	*uuid = NULL;
	if (!json_object_is_type(member, json_type_object))
		return field_refuse(&req->task, "files", "an array of files");
	if (field_text(&req->task, member, "id", uuid) < 0)
		return -1;
	return *uuid == NULL ? fail_field(&req->task, 422, "field_missing", "files.id", "Field required") : 0;
}

int openwebui_process_files(struct request *req)
{
	struct json_object *files = NULL;
	struct openwebui_target into;
	struct batch batch = {str_new(req->task.arena), str_new(req->task.arena)};
	const char *name, *uuid;
	size_t i;

	if (field_array(&req->task, req->json, "files", &files) < 0 || read_required(req, "collection_name", &name) < 0)
		return -1;
	if (files == NULL || *name == '\0')
		return fail_field(&req->task, 422, "field_missing", files == NULL ? "files" : "collection_name",
			"Field required");
	for (i = 0; i < json_object_array_length(files); i++)
		if (read_id(req, json_object_array_get_idx(files, i), &uuid) < 0)
			return -1;
	if (openwebui_read_target(req, &into) < 0 || openwebui_make_target(req, &into) < 0)
		return -1;
	for (i = 0; i < json_object_array_length(files); i++)
		if (read_id(req, json_object_array_get_idx(files, i), &uuid) < 0 ||
			put_one(req, &batch, into.workspace_id, uuid) < 0)
			return -1;
	return reply_json_printf(req, 200, "{\"results\":[%s],\"errors\":[%s]}", batch.results->at, batch.errors->at);
}
