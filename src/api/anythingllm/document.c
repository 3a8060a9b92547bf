/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "core/extract.h"
#include "core/transcribe.h"
#include "store/db.h"
#include "web/reply.h"

enum { FOLDER_PRESET = 100, FOLDER_MOST = 1000 };
static const int64_t EVERYTHING = INT64_MAX / 2;

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

static int no_folder(struct request *req, const char *folder, const char *code)
{
	struct str *out = str_new(req->task.arena);

	str_puts(out, "{\"folder\":");
	str_json_text(out, folder);
	str_puts(out, ",\"documents\":[],\"totalCount\":0,\"hasMore\":false,\"error\":");
	str_json_text(out, arena_printf(req->task.arena, "Folder \"%s\" does not exist.", folder));
	str_printf(out, "%s}", code == NULL ? "" : ",\"code\":404");
	return reply_json(req, 404, out->at, out->len);
}

/* A page of a folder.  `preset` when no limit is asked for; a limit that is none is FOLDER_PRESET.  `code` is a last
 * member that one of the two routes has. */
static int list_folder(struct request *req, const char *folder, int64_t preset, const char *code)
{
	const char *limit_text = request_query(req, "limit");
	int64_t offset = query_int(req, "offset", 0, 0, EVERYTHING), limit = preset;
	struct str *out = str_new(req->task.arena);
	PGresult *rows;
	int64_t total;

	if (limit_text != NULL)
		limit = strcmp(limit_text, "all") == 0 ? EVERYTHING
						       : query_int(req, "limit", FOLDER_PRESET, 1, FOLDER_MOST);
	rows = db_rows(&req->task, &sql_document_folder,
		ARGS(folder, db_int_arg(req->task.arena, offset), db_int_arg(req->task.arena, limit)));
	if (rows == NULL)
		return -1;
	if (!db_true(rows, 0, "known"))
		return no_folder(req, folder, code);
	total = db_int(rows, 0, "total");
	str_puts(out, "{\"folder\":");
	str_json_text(out, folder);
	str_printf(out, ",\"documents\":%s,\"totalCount\":%lld,\"hasMore\":%s,\"error\":null%s}",
		db_text(rows, 0, "page"), (long long)total, limit < total - offset ? "true" : "false",
		code == NULL ? "" : ",\"code\":200");
	return reply_json(req, 200, out->at, out->len);
}

int anythingllm_document_folder(struct request *req)
{
	return list_folder(req, request_param(req, "folderName"), EVERYTHING, NULL);
}

int anythingllm_document_list(struct request *req)
{
	const char *folder = request_query(req, "folder");
	PGresult *rows;

	if (folder != NULL && *folder != '\0')
		return list_folder(req, folder, FOLDER_PRESET, "code");
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

/* One kind: its MIME type, a tab, its extensions. */
static void put_kind(struct str *out, const char *line, size_t len)
{
	const char *tab = memchr(line, '\t', len), *at = tab + 1, *end = line + len;
	size_t n;

	if (tab == NULL)
		return;
	str_puts(out, out->at[out->len - 1] == '{' ? "" : ",");
	str_json(out, line, (size_t)(tab - line));
	for (str_puts(out, ":["); at < end; at += n + (at + n < end)) {
		n = strcspn(at, " \n");
		str_puts(out, at == tab + 1 ? "" : ",");
		str_json(out, at, n);
	}
	str_puts(out, "]");
}

static void put_kinds(struct str *out, const char *line)
{
	while (*line != '\0') {
		size_t len = strcspn(line, "\n");

		put_kind(out, line, len);
		line += len + (line[len] == '\n');
	}
}

int anythingllm_document_types(struct request *req)
{
	struct str *out = str_new(req->task.arena);
	struct service_setup transcriber;
	int transcribed = transcribe_choose(&req->task, req->config, &transcriber);
	const char *kinds;

	if (transcribed < 0 && req->task.failure.status == 502) { /* somebody is to, and cannot be called */
		fail_clear(&req->task);
		transcribed = 0;
	}
	if (transcribed < 0 || (kinds = extract_kinds(&req->task, req->config)) == NULL)
		return -1;
	str_puts(out, "{\"types\":{");
	put_kinds(out, kinds);
	if (transcribed > 0)
		put_kinds(out, transcribe_kinds);
	str_puts(out, "}}");
	return reply_json(req, 200, out->at, out->len);
}

int anythingllm_document_schema(struct request *req)
{
	if (db_enter(&req->task) < 0)
		return -1;
	return reply_json_text(req, 200,
		"{\"schema\":{\"url\":\"string | nullable\",\"title\":\"string\",\"docAuthor\":\"string | nullable\","
		"\"description\":\"string | nullable\",\"docSource\":\"string | nullable\","
		"\"chunkSource\":\"string | nullable\",\"published\":\"epoch timestamp in ms | nullable\"}}");
}
