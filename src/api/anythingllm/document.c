/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "base/field.h"
#include "base/json.h"
#include "base/slug.h"
#include "base/utf8.h"
#include "core/read.h"
#include "store/db.h"
#include "store/secret.h"
#include "web/reply.h"

enum { FOLDER_PRESET = 100, FOLDER_MOST = 1000, NAME_BYTES = 180 };

/* ---- raw-text ---- */

/* The object itself, or a string that holds one. */
static int read_metadata(struct request *req, struct json_object **metadata)
{
	struct json_object *value = field_get(req->json, "metadata");

	if (json_object_is_type(value, json_type_string))
		value = json_read(&req->task, json_object_get_string(value), (size_t)json_object_get_string_len(value));
	if (req->task.failure.status != 0) {
		fail_clear(&req->task);
		return fail_field(
			&req->task, 422, "field_json", "metadata", "metadata is a string that holds no JSON object.");
	}
	*metadata = value;
	if (value != NULL && !json_object_is_type(value, json_type_object))
		return field_refuse(&req->task, "metadata", "an object");
	return 0;
}

static char *lower(char *text)
{
	char *at;

	for (at = text; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	return text;
}

/* Without its last extension, dots to dashes, as a slug; cut so that a file name stays below 255 bytes. */
static const char *title_slug(struct arena *arena, const char *title)
{
	char *text = arena_strdup(arena, title), *dot = strrchr(text, '.'), *slug;

	if (dot != NULL)
		*dot = '\0';
	for (dot = text; *dot != '\0'; dot++)
		if (*dot == '.')
			*dot = '-';
	slug = lower(slug_make(arena, SLUG_FILE, text));
	if (strlen(slug) > NAME_BYTES)
		slug[NAME_BYTES] = '\0';
	return *slug == '\0' ? "untitled" : slug;
}

static int read_published(struct request *req, struct json_object *metadata, const char **published)
{
	double ms = -1;

	if (field_number(&req->task, metadata, "published", &ms) < 0)
		return -1;
	/* Up to the year 9999; anything else is no date and counts as not given. */
	*published = read_time(req->task.arena, ms >= 0 && ms < 253402300800000.0 ? (time_t)(ms / 1000) : time(NULL));
	return 0;
}

/* A member that falls back when it is absent or empty. */
static int read_text(
	struct request *req, struct json_object *metadata, const char *name, const char *preset, const char **value)
{
	const char *text = NULL;

	if (field_text(&req->task, metadata, name, &text) < 0)
		return -1;
	*value = text == NULL || *text == '\0' ? preset : text;
	return 0;
}

static int read_document(struct request *req, struct document *d)
{
	struct arena *arena = req->task.arena;
	struct json_object *metadata = NULL, *text = field_get(req->json, "textContent");
	const char *title = NULL, *slug, *url = NULL;

	if (read_metadata(req, &metadata) < 0 || field_text(&req->task, metadata, "title", &title) < 0)
		return -1;
	if (title == NULL || *title == '\0')
		return fail_field(&req->task, 422, "title_missing", "metadata.title",
			"You are missing required metadata key:value pairs in your request. Required metadata "
			"key:values are 'title'");
	if (text != NULL && !json_object_is_type(text, json_type_string))
		return field_refuse(&req->task, "textContent", "a string");
	if (text == NULL || json_object_get_string_len(text) == 0)
		return fail_field(&req->task, 422, "text_missing", "textContent",
			"The 'textContent' key cannot have an empty value.");
	d->text = json_object_get_string(text);
	d->text_len = (size_t)json_object_get_string_len(text);
	slug = title_slug(arena, title);
	d->uuid = secret_new_uuid(arena);
	d->folder = "custom-documents";
	d->name = arena_printf(arena, "raw-%s-%s.json", slug, d->uuid);
	d->title = arena_printf(arena, "%s.txt", slug);
	if (read_text(req, metadata, "url", NULL, &url) < 0 ||
		read_text(req, metadata, "docAuthor", "no author specified", &d->author) < 0 ||
		read_text(req, metadata, "description", "no description found", &d->description) < 0 ||
		read_text(req, metadata, "docSource", "no source set", &d->source) < 0 ||
		read_text(req, metadata, "chunkSource", d->title, &d->chunk_source) < 0 ||
		read_published(req, metadata, &d->published) < 0)
		return -1;
	if (url != NULL && (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0))
		d->url = arena_printf(arena, "web://%s.website", lower(arena_strdup(arena, url)));
	else
		d->url = arena_printf(arena, "file://%s", d->title);
	d->word_count = ingest_count_words(d->text, d->text_len);
	d->token_estimate = ingest_estimate_tokens(d->text, d->text_len);
	return 0;
}

/* The slugs of addToWorkspaces: separated by commas, trimmed, lower-cased. */
static int read_slugs(struct request *req, const char *const **slugs, size_t *n)
{
	struct json_object *value = field_get(req->json, "addToWorkspaces");
	char *text, *word, *rest;
	const char **list;

	*n = 0;
	if (value == NULL)
		return 0;
	if (!json_object_is_type(value, json_type_string))
		return fail_field(&req->task, 422, "field_type", "addToWorkspaces",
			"addToWorkspaces must be a string of comma-separated workspace slugs. Got %s",
			json_object_is_type(value, json_type_boolean) ? "boolean"
			: json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)
				? "number"
				: "object");
	text = lower(arena_strdup(req->task.arena, json_object_get_string(value)));
	list = arena_get(req->task.arena, (strlen(text) + 1) * sizeof(*list));
	for (word = strtok_r(text, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
		size_t len;

		word += strspn(word, " \t\r\n");
		for (len = strlen(word); len > 0 && strchr(" \t\r\n", word[len - 1]) != NULL; len--)
			word[len - 1] = '\0';
		if (*word != '\0')
			list[(*n)++] = word;
	}
	*slugs = list;
	return 0;
}

static void put(struct str *out, const char *before, const char *text)
{
	str_puts(out, before);
	str_json_text(out, text);
}

static int reply_document(struct request *req, const struct document *d)
{
	struct str *out = str_new(req->task.arena);

	put(out, "{\"success\":true,\"error\":null,\"documents\":[{\"id\":", d->uuid);
	put(out, ",\"url\":", d->url);
	put(out, ",\"title\":", d->title);
	put(out, ",\"docAuthor\":", d->author);
	put(out, ",\"description\":", d->description);
	put(out, ",\"docSource\":", d->source);
	put(out, ",\"chunkSource\":", d->chunk_source);
	put(out, ",\"published\":", d->published);
	str_printf(out, ",\"wordCount\":%lld,\"pageContent\":", (long long)d->word_count);
	str_json(out, d->text, d->text_len);
	str_printf(out, ",\"token_count_estimate\":%lld", (long long)d->token_estimate);
	put(out, ",\"location\":", arena_printf(req->task.arena, "%s/%s", d->folder, d->name));
	str_puts(out, ",\"isDirectUpload\":false}]}");
	return reply_json(req, 200, out->at, out->len);
}

int anythingllm_document_raw_text(struct request *req)
{
	struct document document = {0};
	struct file file = {.meta = "{}"};
	const char *const *slugs = NULL;
	size_t n_slugs;

	if (read_slugs(req, &slugs, &n_slugs) < 0 || read_document(req, &document) < 0)
		return -1;
	file.name = document.title;
	file.type = "text/plain";
	if (file_store_empty(&req->task, &file, document.text_len) < 0)
		return -1;
	if (ingest_document(&req->task, req->config, &file, &document) < 0) {
		file_drop(&req->task, &file);
		return -1;
	}
	/* The document stands; that it could not be put into a workspace shows in the workspace's list. */
	if (ingest_add_to(&req->task, &document, slugs, n_slugs) < 0)
		fail_clear(&req->task);
	return reply_document(req, &document);
}

/* ---- listings ---- */

/* A whole number of a query, or the preset. */
static int64_t query_int(struct request *req, const char *name, int64_t preset, int64_t least, int64_t most)
{
	const char *text = request_query(req, name);
	char *end;
	long long number;

	if (text == NULL || !isdigit((unsigned char)*text))
		return preset;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (*end != '\0' || number < least)
		return preset;
	return errno != 0 || number > most ? most : number;
}

static int list_folder(struct request *req, const char *folder)
{
	const char *all = request_query(req, "limit");
	int64_t offset = query_int(req, "offset", 0, 0, INT64_MAX / 2);
	int64_t limit = all != NULL && strcmp(all, "all") == 0 ? INT64_MAX / 2
							       : query_int(req, "limit", FOLDER_PRESET, 1, FOLDER_MOST);
	struct str *out = str_new(req->task.arena);
	PGresult *rows;
	int64_t total;

	rows = db_rows(&req->task, &sql_document_folder,
		ARGS(folder, db_int_arg(req->task.arena, offset), db_int_arg(req->task.arena, limit)));
	if (rows == NULL)
		return -1;
	total = db_int(rows, 0, "total");
	put(out, "{\"folder\":", folder);
	if (total == 0) {
		str_puts(out, ",\"documents\":[],\"totalCount\":0,\"hasMore\":false,\"error\":");
		str_json_text(out, arena_printf(req->task.arena, "Folder \"%s\" does not exist.", folder));
		str_puts(out, ",\"code\":404}");
		return reply_json(req, 404, out->at, out->len);
	}
	str_printf(out, ",\"documents\":%s,\"totalCount\":%lld,\"hasMore\":%s,\"error\":null,\"code\":200}",
		db_text(rows, 0, "page"), (long long)total, limit < total - offset ? "true" : "false");
	return reply_json(req, 200, out->at, out->len);
}

int anythingllm_document_list(struct request *req)
{
	const char *folder = request_query(req, "folder");
	PGresult *rows;

	if (folder != NULL && *folder != '\0')
		return list_folder(req, folder);
	rows = db_rows(&req->task, &sql_document_tree, NO_ARGS);
	if (rows == NULL)
		return -1;
	return reply_json_printf(req, 200, "{\"localFiles\":{\"name\":\"documents\",\"type\":\"folder\",\"items\":%s}}",
		PQgetvalue(rows, 0, 0));
}

int anythingllm_document_show(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_document_show, ARGS(request_param(req, "docName")));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return fail(&req->task, 404, "document_unknown", "There is no such document.");
	return reply_json_printf(req, 200, "{\"document\":%s}", PQgetvalue(rows, 0, 0));
}
