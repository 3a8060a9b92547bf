/* SPDX-License-Identifier: ISC
 * All chats of a tenant, for its administrators: a page of rows, and everything in four formats. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/field.h"
#include "base/json.h"
#include "core/workspace.h"
#include "store/db.h"
#include "web/reply.h"

enum { PAGE = 20, BATCH = 200, MOST_PAGES = 1000000 };

int anythingllm_chat_rows(struct request *req)
{
	struct arena *arena = req->task.arena;
	double offset = 0;
	PGresult *rows;

	if (field_number(&req->task, req->json, "offset", &offset) < 0)
		return -1;
	if (offset < 0 || offset > MOST_PAGES)
		return fail_field(&req->task, 422, "field_range", "offset", "offset is out of range.");
	rows = db_rows(
		&req->task, &sql_chat_rows, ARGS(db_int_arg(arena, (int64_t)offset * PAGE), db_int_arg(arena, PAGE)));
	if (rows == NULL)
		return -1;
	return reply_json_printf(req, 200, "{\"chats\":%s,\"hasPages\":%s}", db_text(rows, 0, "page"),
		db_true(rows, 0, "more") ? "true" : "false");
}

/* ---- the export ---- */

struct dump;

/* A format: how it begins, each chat, and its end. */
struct format {
	const char *name, *type, *begin, *end;
	void (*put)(struct dump *, PGresult *rows, int row);
	bool by_workspace;
};

struct dump {
	struct request *req;
	const struct format *format;
	struct arena *small;     /* of one batch */
	struct str *out;         /* emptied when it has been sent */
	int64_t workspace, chat; /* of the last one */
	int64_t n;
};

static void put_text(struct dump *e, const char *before, const char *text)
{
	str_puts(e->out, before);
	str_json_text(e->out, text);
}

/* Quoted, a quote doubled, ends of lines as spaces. */
static void put_cell(struct dump *e, const char *text)
{
	str_puts(e->out, "\"");
	for (; *text != '\0'; text++) {
		str_puts(e->out, *text == '"' ? "\"" : "");
		str_putc(e->out, *text == '\n' || *text == '\r' ? ' ' : *text);
	}
	str_puts(e->out, "\"");
}

static void put_csv(struct dump *e, PGresult *rows, int row)
{
	static const char *const columns[] = {"id", "workspace", "prompt", "answer", "sent_text", "username", "rating"};
	size_t i;

	str_puts(e->out, "\n");
	for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		const char *text = db_text(rows, row, columns[i]);

		str_puts(e->out, i == 0 ? "" : ",");
		/* Sheets would compute what begins so; the rating, "--" for none, is ours. */
		if (i < 6 && *text != '\0' && strchr("=+-@\t\r", *text) != NULL)
			text = arena_printf(e->small, "'%s", text);
		put_cell(e, i == 4 ? arena_printf(e->small, "%s GMT+0000 (Coordinated Universal Time)", text) : text);
	}
}

/* The images of a chat's attachments, each with what stands around it. */
static void put_images(struct dump *e, PGresult *rows, int row, const char *before, const char *after)
{
	struct json_object *list = json_ours(e->small, db_text(rows, row, "attachments"));
	size_t i, n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (i = 0; i < n; i++) {
		struct json_object *content = field_get(json_object_array_get_idx(list, i), "contentString");

		if (!json_object_is_type(content, json_type_string))
			continue;
		put_text(e, before, json_object_get_string(content));
		str_puts(e->out, after);
	}
}

static void put_json(struct dump *e, PGresult *rows, int row)
{
	size_t begin;

	str_printf(e->out, "%s    {\n        \"id\": %s,\n", e->n == 0 ? "\n" : ",\n", db_text(rows, row, "id"));
	put_text(e, "        \"prompt\": ", db_text(rows, row, "prompt"));
	put_text(e, ",\n        \"response\": ", db_text(rows, row, "answer"));
	put_text(e, ",\n        \"sent_at\": ", db_text(rows, row, "sent_at"));
	str_puts(e->out, ",\n        \"attachments\": [");
	begin = e->out->len;
	put_images(e, rows, row, "\n            {\n                \"type\": \"image\",\n                \"image\": ",
		"\n            },");
	if (e->out->len > begin) {
		e->out->at[--e->out->len] = '\0';
		str_puts(e->out, "\n        ");
	}
	put_text(e, "],\n        \"workspace\": ", db_text(rows, row, "workspace"));
	put_text(e, ",\n        \"username\": ", db_text(rows, row, "username"));
	put_text(e, ",\n        \"rating\": ", db_text(rows, row, "rating"));
	str_puts(e->out, "\n    }");
}

/* A line a workspace: a conversation of all its chats. */
static void put_jsonl(struct dump *e, PGresult *rows, int row)
{
	if (e->n == 0 || db_int(rows, row, "workspace_id") != e->workspace) {
		str_puts(e->out, e->n == 0 ? "" : "]}\n");
		put_text(e, "{\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":",
			workspace_default_prompt);
		str_puts(e->out, "}]}");
	}
	put_text(e, ",{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":", db_text(rows, row, "prompt"));
	str_puts(e->out, "}");
	put_images(e, rows, row, ",{\"type\":\"image\",\"image\":", "}");
	put_text(e,
		"]},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":", db_text(rows, row, "answer"));
	str_puts(e->out, "}]}");
}

static void put_alpaca(struct dump *e, PGresult *rows, int row)
{
	struct json_object *list = json_ours(e->small, db_text(rows, row, "sources"));
	size_t i, n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	struct str *instruction = str_new(e->small);

	str_puts(instruction, workspace_default_prompt);
	for (i = 0; i < n; i++) {
		struct json_object *text = field_get(json_object_array_get_idx(list, i), "text");

		str_printf(instruction, "%s[CONTEXT %zu]:\n%s\n[END CONTEXT %zu]\n\n", i == 0 ? "\nContext:\n" : "", i,
			json_object_is_type(text, json_type_string) ? json_object_get_string(text) : "", i);
	}
	str_puts(e->out, e->n == 0 ? "\n    {\n" : ",\n    {\n");
	put_text(e, "        \"instruction\": ", instruction->at);
	put_text(e, ",\n        \"input\": ", db_text(rows, row, "prompt"));
	put_text(e, ",\n        \"output\": ", db_text(rows, row, "answer"));
	str_puts(e->out, "\n    }");
}

static const struct format formats[] = {
	{"jsonl", "application/jsonl; charset=utf-8", "", "", put_jsonl, true},
	{"json", "application/json; charset=utf-8", "[", "]", put_json, false},
	{"csv", "text/csv; charset=utf-8", "id,workspace,prompt,response,sent_at,username,rating", "", put_csv, false},
	{"jsonAlpaca", "application/json; charset=utf-8", "[", "]", put_alpaca, false},
};

static void flush(struct dump *e)
{
	if (!e->req->head)
		wire_write(e->req->wire, e->out->at, e->out->len);
	str_clear(e->out);
}

/* The next chats, of all workspaces or (`workspace` not NULL) of one; how many, -1 on failure. */
static int put_batch(struct dump *e, const char *workspace)
{
	struct arena *small = e->small;
	const char *args[] = {db_int_arg(small, e->chat), db_int_arg(small, BATCH), workspace};
	PGresult *rows = db_rows_in(small, &e->req->task,
		workspace == NULL ? &sql_chat_export : &sql_chat_export_workspace, args, workspace == NULL ? 2 : 3);
	int i, n = rows == NULL ? -1 : PQntuples(rows);

	if (n < 0) /* nobody is to take what has left for the whole */
		wire_cut(e->req->wire);
	for (i = 0; i < n; i++) {
		e->format->put(e, rows, i);
		e->workspace = db_int(rows, i, "workspace_id");
		e->chat = db_int(rows, i, "id");
		e->n++;
	}
	arena_empty(small);
	return n;
}

static void put_all(struct dump *e, const char *workspace)
{
	e->chat = -1;
	while (put_batch(e, workspace) == BATCH && !e->req->wire->gone)
		flush(e);
	flush(e);
}

static void put_end(struct dump *e)
{
	bool lines = e->format->by_workspace;

	if (lines)
		str_puts(e->out, e->n == 0 ? "" : "]}");
	else
		str_printf(e->out, "%s%s", e->n > 0 && *e->format->end != '\0' ? "\n" : "", e->format->end);
	flush(e);
}

int anythingllm_export_chats(struct request *req)
{
	const char *type = request_query(req, "type");
	struct dump e = {.req = req, .small = arena_within(req->task.arena), .out = str_new(req->task.arena)};
	struct db_call calls[] = {{.stmt = &sql_event_note}, {.stmt = &sql_workspace_ids}};
	const char *event[] = {"chat.export", NULL, NULL, NULL};
	PGresult *workspaces;
	size_t i;
	int w;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(type == NULL ? "jsonl" : type, formats[i].name) == 0)
			e.format = &formats[i];
	if (e.format == NULL)
		return fail(&req->task, 400, "export_type",
			"Invalid export type: %s. Must be one of json, csv, jsonl, jsonAlpaca", type);
	event[3] = arena_printf(req->task.arena, "{\"type\":\"%s\"}", e.format->name);
	calls[0].args = event;
	calls[0].n_args = 4;
	if (db_run(&req->task, calls, 2) < 0)
		return -1;
	workspaces = calls[1].rows;
	str_puts(e.out, e.format->begin);
	reply_head(req, 200, e.format->type, -1, NULL);
	if (!e.format->by_workspace)
		put_all(&e, NULL);
	for (w = 0; e.format->by_workspace && w < PQntuples(workspaces) && !req->wire->gone; w++)
		put_all(&e, PQgetvalue(workspaces, w, 0));
	put_end(&e);
	return 0;
}
