/* SPDX-License-Identifier: ISC */
#include "api/openwebui/items.h"

#include <string.h>

#include "api/openwebui/collection.h"
#include "base/field.h"
#include "base/json.h"
#include "core/extract.h"
#include "core/fetch.h"
#include "store/db.h"

enum { MAX_ITEMS = 64, MAX_PAGES = 3 /* each may take as long as link.timeout allows */ };

/* ---- parameters ---- */

static bool one_of(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

/* Custom ones may come as text that holds JSON. */
static struct json_object *unwrapped(struct request *req, struct json_object *value)
{
	struct task reading = {.arena = req->task.arena, .id = req->task.id, .gone_fd = -1};
	struct json_object *inside;

	if (!json_object_is_type(value, json_type_string))
		return json_object_get(value);
	inside = json_read(&reading, json_object_get_string(value), (size_t)json_object_get_string_len(value));
	return json_object_get(inside == NULL ? value : inside);
}

static int take_members(struct request *req, const char *field, struct json_object *from, bool custom)
{
	/* What is for the original's own use, and what a parameter cannot be. */
	static const char *const not_passed[] = {"stream_response", "stream_delta_chunk_size", "function_calling",
		"reasoning_tags", "system", "custom_params", "params", "model", "messages", "files", NULL};

	if (from == NULL)
		return 0;
	if (!json_object_is_type(from, json_type_object))
		return field_refuse(&req->task, field, "an object");
	json_object_object_foreach(from, name, value)
	{
		if (value != NULL && !one_of(name, not_passed))
			json_object_object_add(
				req->json, name, custom ? unwrapped(req, value) : json_object_get(value));
	}
	return 0;
}

int openwebui_take_params(struct request *req)
{
	struct json_object *params = field_get(req->json, "params");

	if (take_members(req, "params", params, false) < 0 || params == NULL)
		return params == NULL ? 0 : -1;
	return take_members(req, "custom_params", field_get(params, "custom_params"), true);
}

/* ---- files ---- */

/* A member; what cannot be understood is passed over, so anything else than an object has none. */
static struct json_object *member_of(struct json_object *object, const char *name)
{
	return json_object_is_type(object, json_type_object) ? field_get(object, name) : NULL;
}

static const char *text_of(struct json_object *object, const char *name)
{
	struct json_object *value = member_of(object, name);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static bool is_true(struct json_object *value)
{
	return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

/* Names of collections, in a list or alone. */
static void add_names(struct openwebui_scope *scope, struct json_object *item)
{
	struct json_object *list = field_get(item, "collection_names");
	size_t i;

	openwebui_scope_add(scope, text_of(item, "collection_name"));
	if (!json_object_is_type(list, json_type_array))
		return;
	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *name = json_object_array_get_idx(list, i);

		if (json_object_is_type(name, json_type_string))
			openwebui_scope_add(scope, json_object_get_string(name));
	}
}

static int find_documents(struct request *req, struct openwebui_scope *scope, struct chat_item *item)
{
	if (scope->n == 0)
		return 0;
	if (openwebui_scope_find(req, scope) < 0)
		return -1;
	item->workspaces = scope->workspaces;
	item->files = scope->files;
	return strcmp(scope->workspaces, "{}") != 0 || strcmp(scope->files, "{}") != 0;
}

/* The texts of `docs`, one behind the other. */
static const char *texts_of_docs(struct arena *arena, struct json_object *docs)
{
	struct str *all = str_new(arena);
	size_t i;

	if (!json_object_is_type(docs, json_type_array))
		return NULL;
	for (i = 0; i < json_object_array_length(docs); i++) {
		const char *text = text_of(json_object_array_get_idx(docs, i), "content");

		if (text != NULL)
			str_printf(all, "%s%s", all->len == 0 ? "" : "\n\n", text);
	}
	return all->len == 0 ? NULL : all->at;
}

/* A page that is fetched for this answer only.  What cannot be had is passed over, and so is what comes behind a few.
 */
static const char *fetch_text(struct request *req, const char *address, int *n_pages)
{
	static const char *const no_headers[] = {NULL};
	struct str *text = str_new(req->task.arena);
	struct file file = {.meta = "{}"};
	struct extracted page;
	struct url url;
	int i;

	if (address == NULL || (*n_pages)++ >= MAX_PAGES || db_enter(&req->task) < 0)
		return NULL;
	if (fetch_read_url(&req->task, req->config, address, &url) < 0 ||
		fetch_url(&req->task, req->config, &url, no_headers, &file) < 0 ||
		extract_file(&req->task, req->config, file.fd, file.name, file.type, &page) < 0) {
		fail_clear(&req->task);
		return NULL;
	}
	for (i = 0; i < page.n_parts; i++)
		str_add(text, page.parts[i].text, page.parts[i].len);
	return text->at;
}

/* A text that the item carries itself; NULL when it carries none. */
static const char *own_text(struct request *req, struct json_object *from, const char *type, int *n_pages)
{
	const char *text = text_of(from, "content");

	if (strcmp(type, "url") == 0)
		return fetch_text(req, text_of(from, "url"), n_pages);
	if (*type == '\0')
		return texts_of_docs(req->task.arena, member_of(from, "docs"));
	if (strcmp(type, "text") != 0)
		return NULL;
	return text != NULL ? text : text_of(member_of(member_of(from, "file"), "data"), "content");
}

/* As the client wrote it; what it knows of the text need not be told back. */
static const char *told(struct arena *arena, struct json_object *from, const char *name, const char *id)
{
	if (name == NULL && id == NULL)
		return NULL;
	json_object_object_del(from, "data");
	json_object_object_del(from, "docs");
	return json_text(arena, from);
}

/* 1 with an item; 0 when it is to be passed over; -1 with the reason in the task. */
static int read_item(struct request *req, struct json_object *from, struct chat_item *item, int *n_pages)
{
	const char *type = text_of(from, "type"), *id = text_of(from, "id"), *context = text_of(from, "context");
	struct openwebui_scope scope = {0};

	type = type == NULL ? "" : type;
	*item = (struct chat_item){.name = text_of(from, "name"),
		.whole = context != NULL && strcmp(context, "full") == 0,
		.text = own_text(req, from, type, n_pages)};
	if (req->task.failure.status != 0)
		return -1;
	if (strcmp(type, "file") == 0 && id != NULL && is_true(field_get(from, "legacy")))
		openwebui_scope_add(&scope, id); /* a collection of just this name */
	else if (strcmp(type, "file") == 0 && id != NULL)
		openwebui_scope_add(&scope, arena_printf(req->task.arena, "file-%s", id));
	else if (strcmp(type, "collection") == 0)
		openwebui_scope_add(&scope, id);
	else if (strcmp(type, "text") == 0 || *type == '\0')
		add_names(&scope, from);
	item->told = told(req->task.arena, from, item->name, id);
	return item->text != NULL ? *item->text != '\0' : find_documents(req, &scope, item);
}

/* Has an item before been all this already? */
static bool twice(const struct chat *chat, const struct chat_item *item)
{
	int i;

	for (i = 0; i < chat->n_items; i++) {
		const struct chat_item *before = &chat->items[i];

		if (item->text != NULL ? before->text != NULL && strcmp(before->text, item->text) == 0
				       : before->text == NULL && strcmp(before->workspaces, item->workspaces) == 0 &&
						 strcmp(before->files, item->files) == 0)
			return true;
	}
	return false;
}

int openwebui_read_items(struct request *req, struct chat *chat)
{
	struct json_object *list = NULL;
	struct chat_item *items;
	int n_pages = 0;
	size_t i, n;

	if (field_array(&req->task, req->json, "files", &list) < 0)
		return -1;
	n = list == NULL ? 0 : json_object_array_length(list);
	if (n > MAX_ITEMS)
		return fail_field(
			&req->task, 400, "field_range", "files", "files must hold at most %d items.", MAX_ITEMS);
	chat->items = items = arena_get(req->task.arena, (n + 1) * sizeof(*items));
	for (i = 0; i < n; i++) {
		struct json_object *from = json_object_array_get_idx(list, i);
		int found = 0;

		if (json_object_is_type(from, json_type_object))
			found = read_item(req, from, &items[chat->n_items], &n_pages);
		if (found < 0)
			return -1;
		chat->n_items += found > 0 && !twice(chat, &items[chat->n_items]);
	}
	return 0;
}
