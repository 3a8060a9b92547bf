/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "api/anythingllm/stored.h"
#include "api/api.h"
#include "base/field.h"
#include "base/slug.h"
#include "store/secret.h"

enum { NAME_BYTES = 180 };

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

static int read_url(struct request *req, struct json_object *metadata, struct document *d)
{
	struct arena *arena = req->task.arena;
	const char *url;

	if (stored_text(req, metadata, "url", "", &url) < 0)
		return -1;
	if (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0)
		d->url = arena_printf(arena, "web://%s.website", lower(arena_strdup(arena, url)));
	else
		d->url = arena_printf(arena, "file://%s", d->title);
	return 0;
}

static int read_document(struct request *req, struct document *d)
{
	struct arena *arena = req->task.arena;
	struct json_object *metadata = NULL, *text = field_get(req->json, "textContent");
	const char *title = NULL, *slug;

	if (stored_metadata(req, field_get(req->json, "metadata"), &metadata) < 0 ||
		field_text(&req->task, metadata, "title", &title) < 0)
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
	if (read_url(req, metadata, d) < 0 ||
		stored_text(req, metadata, "docAuthor", "no author specified", &d->author) < 0 ||
		stored_text(req, metadata, "description", "no description found", &d->description) < 0 ||
		stored_text(req, metadata, "docSource", "no source set", &d->source) < 0 ||
		stored_text(req, metadata, "chunkSource", d->title, &d->chunk_source) < 0 ||
		read_published(req, metadata, &d->published) < 0)
		return -1;
	ingest_measure(d);
	return 0;
}

int anythingllm_document_raw_text(struct request *req)
{
	struct document document = {0};
	struct file file = {.meta = "{}"};
	struct slugs slugs;

	if (stored_json_slugs(req, &slugs) < 0 || read_document(req, &document) < 0)
		return -1;
	file.name = document.title;
	file.type = "text/plain";
	if (file_store_empty(&req->task, &file, document.text_len) < 0)
		return -1;
	if (ingest_document(&req->task, req->config, &file, &document) < 0 ||
		file_settle(&req->task, &file, "done", NULL) < 0) {
		file_drop(&req->task, &file);
		return -1;
	}
	stored_place(req, &document, 1, &slugs);
	return stored_reply(req, &document, 1, false);
}
