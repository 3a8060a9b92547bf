/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <strings.h>

#include "api/anythingllm/stored.h"
#include "api/api.h"
#include "base/field.h"
#include "base/json.h"
#include "base/slug.h"
#include "core/fetch.h"

enum { MAX_HEADERS = 32, HEADERS_BYTES = 8192, STEM_BYTES = 170 };

static int refuse_headers(struct request *req)
{
	return fail_field(&req->task, 422, "field_type", "scraperHeaders",
		"scraperHeaders must be an object of at most %d headers, %d bytes in all, that say nothing of the "
		"connection.",
		MAX_HEADERS, HEADERS_BYTES);
}

/* Headers that are ours to send, or none's. */
static bool reserved(const char *name)
{
	static const char *const names[] = {"accept-encoding", "connection", "content-length", "content-type", "expect",
		"host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return strncasecmp(name, "proxy-", 6) == 0;
}

static bool good_header(const char *name, const char *value)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *at;

	if (*name == '\0' || name[strspn(name, token)] != '\0' || reserved(name) || *value == '\0')
		return false;
	for (at = value; *at != '\0'; at++)
		if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f)
			return false;
	return true;
}

/* scraperHeaders as "Name: value" lines. */
static int read_headers(struct request *req, const char *const **headers)
{
	const char **list = arena_get(req->task.arena, (MAX_HEADERS + 1) * sizeof(*list));
	struct json_object *object = field_get(req->json, "scraperHeaders");
	size_t n = 0, bytes = 0;

	*headers = list;
	if (object == NULL)
		return 0;
	if (!json_object_is_type(object, json_type_object) || json_object_object_length(object) > MAX_HEADERS)
		return refuse_headers(req);
	json_object_object_foreach(object, name, member)
	{
		const char *value = json_object_get_string(member);

		if (!json_object_is_type(member, json_type_string) || !good_header(name, value))
			return refuse_headers(req);
		bytes += strlen(name) + strlen(value);
		list[n++] = arena_printf(req->task.arena, "%s: %s", name, value);
	}
	return bytes > HEADERS_BYTES ? refuse_headers(req) : 0;
}

/* The server's name and the path, slashes as underscores. */
static const char *slug_of(struct arena *arena, const struct url *url)
{
	char *text = arena_printf(arena, "%s%s", url->host, url->path), *at;

	for (at = text; *at != '\0'; at++)
		if (*at == '/')
			*at = '_';
	text = slug_make(arena, SLUG_FILE, text);
	text[strnlen(text, STEM_BYTES)] = '\0';
	return text;
}

static const char *without_slash(struct arena *arena, const char *text)
{
	size_t len = strlen(text);

	return arena_copy(arena, text, len > 0 && text[len - 1] == '/' ? len - 1 : len);
}

/* What the documents are called; where they come from cannot be told otherwise. */
static void describe(struct arena *arena, const struct url *url, struct reading *reading)
{
	const char *slug = slug_of(arena, url);

	reading->link = true;
	reading->stem = arena_printf(arena, "url-%s", slug);
	reading->label = arena_printf(arena, "%s.html", slug);
	reading->url = arena_printf(arena, "file://%s", reading->label);
	reading->chunk_source = arena_printf(arena, "link://%s", without_slash(arena, url->text));
}

/* The address stands in the metadata, too: an upload of the same bytes is another thing. */
static const char *meta_of(struct arena *arena, const struct url *url, struct json_object *metadata)
{
	struct str *meta = str_new(arena);

	str_puts(meta, "{\"link\":");
	str_json_text(meta, url->text);
	if (metadata != NULL)
		str_printf(meta, ",\"metadata\":%s", json_text(arena, metadata));
	str_puts(meta, "}");
	return meta->at;
}

static int read_link(struct request *req, struct url *url)
{
	const char *link = NULL;

	if (field_text(&req->task, req->json, "link", &link) < 0)
		return -1;
	if (link == NULL || *link == '\0')
		return fail_field(&req->task, 422, "link_missing", "link", "link must be the address of a page.");
	return fetch_read_url(&req->task, req->config, link, url);
}

int anythingllm_document_upload_link(struct request *req)
{
	struct arena *arena = req->task.arena;
	struct json_object *metadata = NULL;
	const char *const *headers;
	struct reading reading = {0};
	struct file file = {0};
	struct slugs slugs;
	struct url url;

	if (stored_json_slugs(req, &slugs) < 0 || read_headers(req, &headers) < 0 ||
		stored_metadata(req, field_get(req->json, "metadata"), &metadata) < 0 ||
		stored_reading(req, metadata, &reading) < 0 || read_link(req, &url) < 0)
		return -1;
	describe(arena, &url, &reading);
	file.meta = meta_of(arena, &url, metadata);
	if (fetch_url(&req->task, req->config, &url, headers, &file) < 0)
		return -1;
	if (stored_read(req, &file, &reading) < 0) {
		stored_reword(&req->task,
			arena_printf(arena, "No URL content found at %s.", without_slash(arena, url.text)), file.name);
		return -1;
	}
	stored_place(req, reading.documents, reading.n_documents, &slugs);
	return stored_reply(req, reading.documents, reading.n_documents, false);
}
