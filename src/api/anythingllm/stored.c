/* SPDX-License-Identifier: ISC */
#include "api/anythingllm/stored.h"

#include <ctype.h>
#include <string.h>

#include "base/field.h"
#include "base/json.h"
#include "base/temp.h"
#include "core/describe.h"
#include "web/reply.h"

enum { PIECE_BYTES = 32768 };

/* ---- what comes with a document ---- */

int stored_metadata_text(struct request *req, const char *text, size_t len, struct json_object **metadata)
{
	*metadata = NULL;
	if (len == 4 && memcmp(text, "null", 4) == 0)
		return 0;
	*metadata = json_read(&req->task, text, len);
	if (json_object_is_type(*metadata, json_type_object))
		return 0;
	fail_clear(&req->task);
	return fail_field(&req->task, 422, "field_json", "metadata", "metadata is a string that holds no JSON object.");
}

int stored_metadata(struct request *req, struct json_object *value, struct json_object **metadata)
{
	if (json_object_is_type(value, json_type_string))
		return stored_metadata_text(
			req, json_object_get_string(value), (size_t)json_object_get_string_len(value), metadata);
	*metadata = value;
	if (value != NULL && !json_object_is_type(value, json_type_object))
		return field_refuse(&req->task, "metadata", "an object");
	return 0;
}

int stored_text(
	struct request *req, struct json_object *metadata, const char *name, const char *preset, const char **value)
{
	const char *text = NULL;

	if (field_text(&req->task, metadata, name, &text) < 0)
		return -1;
	*value = text == NULL || *text == '\0' ? preset : text;
	return 0;
}

int stored_reading(struct request *req, struct json_object *metadata, struct reading *reading)
{
	if (stored_text(req, metadata, "title", NULL, &reading->title) < 0 ||
		stored_text(req, metadata, "docAuthor", NULL, &reading->author) < 0 ||
		stored_text(req, metadata, "description", NULL, &reading->description) < 0 ||
		stored_text(req, metadata, "docSource", NULL, &reading->source) < 0 ||
		stored_text(req, metadata, "chunkSource", NULL, &reading->chunk_source) < 0)
		return -1;
	return 0;
}

void stored_slugs(struct request *req, const char *text, struct slugs *slugs)
{
	struct arena *arena = req->task.arena;
	char *list = arena_strdup(arena, text == NULL ? "" : text), *word, *rest;
	const char **at = arena_get(arena, (strlen(list) / 2 + 1) * sizeof(*at));

	slugs->at = at;
	slugs->n = 0;
	for (word = strtok_r(list, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
		char *c;
		size_t len;

		for (c = word; *c != '\0'; c++)
			*c = (char)tolower((unsigned char)*c);
		word += strspn(word, " \t\r\n");
		for (len = strlen(word); len > 0 && strchr(" \t\r\n", word[len - 1]) != NULL; len--)
			word[len - 1] = '\0';
		if (*word != '\0')
			at[slugs->n++] = word;
	}
}

int stored_refuse_slugs(struct request *req, const char *type)
{
	return fail_field(&req->task, 422, "field_type", "addToWorkspaces",
		"addToWorkspaces must be a string of comma-separated workspace slugs. Got %s", type);
}

int stored_json_slugs(struct request *req, struct slugs *slugs)
{
	struct json_object *value = field_get(req->json, "addToWorkspaces");

	if (value != NULL && !json_object_is_type(value, json_type_string))
		return stored_refuse_slugs(
			req, json_object_is_type(value, json_type_boolean) ? "boolean"
			     : json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)
				     ? "number"
				     : "object");
	stored_slugs(req, json_object_get_string(value), slugs);
	return 0;
}

int stored_read(struct request *req, struct file *file, struct reading *reading)
{
	struct task *task = &req->task;

	if (file_store(task, file, "receiving") < 0)
		return -1;
	if (read_file(task, req->config, file, reading) == 0 &&
		read_texts(task, reading->documents, reading->n_documents) == 0)
		return 0;
	file_drop(task, file);
	return -1;
}

void stored_place(struct request *req, const struct document *documents, int n, const struct slugs *slugs)
{
	int i;

	for (i = 0; i < n; i++)
		if (ingest_add_to(&req->task, req->config, &documents[i], slugs->at, slugs->n) < 0)
			fail_clear(&req->task);
}

/* ---- the answer ---- */

static void send(struct request *req, struct str *out)
{
	wire_write(req->wire, out->at, out->len);
	str_clear(out);
}

/* The text, escaped; each piece loses its quotes. */
static void send_text(struct request *req, const struct document *d, struct str *out)
{
	size_t at, len;

	for (at = 0; at < d->text_len && !req->wire->gone; at += len) {
		len = d->text_len - at < PIECE_BYTES ? d->text_len - at : PIECE_BYTES;
		str_json(out, d->text + at, len);
		wire_write(req->wire, out->at + 1, out->len - 2);
		str_clear(out);
		if (d->mapped)
			temp_passed(d->text, at + len);
	}
}

static void send_document(struct request *req, const struct document *d, bool moved, struct str *out)
{
	str_putc(out, '{');
	describe_members(out, d);
	str_puts(out, ",\"pageContent\":\"");
	send(req, out);
	send_text(req, d, out);
	str_printf(out, "\",\"token_count_estimate\":%lld", (long long)d->token_estimate);
	str_json_member(out, ",\"location\":", arena_printf(req->task.arena, "%s/%s", d->folder, d->name));
	str_puts(out, ",\"isDirectUpload\":false");
	if (moved)
		str_json_member(out, ",\"name\":", d->name);
	str_puts(out, "}");
}

int stored_reply(struct request *req, const struct document *documents, int n, bool moved)
{
	struct str *out = str_new(req->task.arena);
	int i;

	reply_head(req, 200, "application/json; charset=utf-8", -1, NULL);
	str_puts(out, "{\"success\":true,\"error\":null,\"documents\":[");
	for (i = 0; i < n; i++) {
		str_puts(out, i == 0 ? "" : ",");
		send_document(req, &documents[i], moved, out);
	}
	str_puts(out, "]}");
	send(req, out);
	return 0;
}

/* The original's words for what has no text, and for what is of no kind that can be read. */
void stored_reword(struct task *task, const char *no_text, const char *name)
{
	struct failure *failure = &task->failure;
	const char *dot = strrchr(name, '.');

	if (strcmp(failure->code, "file_empty") == 0 || strcmp(failure->code, "file_no_text") == 0)
		failure->message = no_text;
	else if (strcmp(failure->code, "file_unknown_kind") == 0 && dot != NULL && dot[1] != '\0')
		failure->message = arena_printf(task->arena,
			"File extension %s not supported for parsing and cannot be assumed as text file type.", dot);
}
