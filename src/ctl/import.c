/* SPDX-License-Identifier: ISC */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/json.h"
#include "base/str.h"
#include "ctl/lines.h"
#include "ctl/run.h"
#include "ctl/transfer.h"
#include "store/db.h"

enum { BATCH_BYTES = 1 << 20, BATCH_ROWS = 500, NAME = 64 /* bytes of a table's, with a NUL */ };

struct input {
	PGconn *pg;
	struct lines lines;
	struct arena *arena;
	char tenant_id[24], id_there[24];
	/* rows of one table that are not stored yet; belong to the arena */
	char table[NAME];
	long long first; /* the number of the first one's line */
	int n;
	struct str *rows;
	/* of the table */
	long long read, stored;
};

static int refuse(const struct input *in, const char *why)
{
	fprintf(stderr, "exedractl: Line %lld: %s.\n", in->lines.no, why);
	return -1;
}

/* The row in a line {"table":{...}}; NULL when it is no such line. */
static const char *split_line(const struct lines *lines, char table[NAME], size_t *len)
{
	const char *name = lines->at + 2, *end = lines->len < 6 ? NULL : memchr(name, '"', lines->len - 2);
	size_t name_len = end == NULL ? 0 : (size_t)(end - name);

	if (name_len == 0 || name_len >= NAME || memcmp(lines->at, "{\"", 2) != 0 || memcmp(end, "\":{", 3) != 0 ||
		lines->at[lines->len - 1] != '}')
		return NULL;
	memcpy(table, name, name_len);
	table[name_len] = '\0';
	*len = lines->len - name_len - 5;
	return end + 2;
}

static int check_line(struct input *in)
{
	struct json_fault fault;

	if (json_check(in->arena, in->lines.at, in->lines.len, &fault) == 0)
		return 0;
	fprintf(stderr, "exedractl: Line %lld: %s at byte %zu.\n", in->lines.no, fault.what, fault.at + 1);
	return -1;
}

/* ---- rows */

/* Those that are waiting. */
static int store_rows(struct input *in)
{
	char first[24];
	const char *args[] = {in->table, first, in->n == 0 ? NULL : in->rows->at};
	const int lengths[] = {0, 0, in->n == 0 ? 0 : (int)in->rows->len}, formats[] = {0, 0, 1};
	PGresult *rows;
	int result = 0;

	if (in->n == 0)
		return 0;
	snprintf(first, sizeof(first), "%lld", in->first);
	rows = PQexecParams(in->pg, sql_ctl_import_rows.text, 3, NULL, args, lengths, formats, 0);
	if (PQresultStatus(rows) == PGRES_TUPLES_OK) {
		in->stored += atoll(PQgetvalue(rows, 0, 0));
		in->read += in->n;
	} else {
		fail_with(in->pg, rows);
		result = -1;
	}
	PQclear(rows);
	in->n = 0;
	in->rows = NULL;
	arena_empty(in->arena);
	return result;
}

static int end_table(struct input *in)
{
	if (store_rows(in) < 0)
		return -1;
	if (in->stored < in->read)
		fprintf(stderr,
			"exedractl: %lld of %lld rows of %s are left out: another tenant of this server has the "
			"same.\n",
			in->read - in->stored, in->read, in->table);
	in->read = in->stored = 0;
	return 0;
}

static int add_row(struct input *in)
{
	char table[NAME];
	size_t len;
	const char *row = split_line(&in->lines, table, &len);

	if (row == NULL)
		return refuse(in, "it is no row of a table");
	if (strcmp(table, in->table) != 0) {
		if (end_table(in) < 0)
			return -1;
		memcpy(in->table, table, NAME);
	}
	if (in->n > 0 && in->rows->len + len > BATCH_BYTES && store_rows(in) < 0)
		return -1;
	if (in->n == 0) {
		in->rows = db_pack(in->arena, DB_TEXT);
		in->first = in->lines.no;
	}
	db_pack_item(in->rows, row, len);
	return ++in->n == BATCH_ROWS ? store_rows(in) : 0;
}

/* ---- the first lines and the last one */

/* A line that must be there. */
static int need_line(struct input *in)
{
	int got = lines_next(&in->lines);

	if (got == 0)
		return refuse(in, "the file ends here, and is not whole");
	return got < 0 ? -1 : check_line(in);
}

static int begin(struct input *in, const char *name)
{
	const char *args[3] = {NULL, NULL, name}, *row;
	char table[NAME];
	size_t len;
	PGresult *rows;

	if (need_line(in) < 0)
		return -1;
	if (strncmp(in->lines.at, "{\"format\":\"exedra-tenant\",", 26) != 0)
		return refuse(in, "this is no export of a tenant");
	args[0] = arena_copy(in->arena, in->lines.at, in->lines.len);
	lines_keep(&in->lines);
	if (need_line(in) < 0)
		return -1;
	row = split_line(&in->lines, table, &len);
	if (row == NULL || strcmp(table, "tenant") != 0)
		return refuse(in, "here the tenant is to be");
	args[1] = arena_copy(in->arena, row, len);
	lines_keep(&in->lines);
	if ((rows = run(in->pg, &sql_ctl_import_begin, args)) == NULL)
		return -1;
	snprintf(in->tenant_id, sizeof(in->tenant_id), "%s", PQgetvalue(rows, 0, 0));
	snprintf(in->id_there, sizeof(in->id_there), "%s", PQgetvalue(rows, 0, 1));
	PQclear(rows);
	arena_empty(in->arena);
	return 0;
}

/* The line that was read is the last one: is it that of this file? */
static int end(struct input *in)
{
	unsigned char hash[32];

	secret_hash_end(&in->lines.hash, hash);
	if (strcmp(in->lines.at, transfer_end(in->arena, in->lines.no - 1, hash)) != 0)
		return refuse(in, "it does not fit the lines before it: the file was changed or damaged");
	if (getc(in->lines.from) != EOF) {
		in->lines.no++;
		return refuse(in, "it stands behind the last one");
	}
	return end_table(in);
}

static int read_rows(struct input *in)
{
	for (;;) {
		if (need_line(in) < 0)
			return -1;
		if (strncmp(in->lines.at, "{\"end\":", 7) == 0)
			return end(in);
		if (add_row(in) < 0)
			return -1;
		lines_keep(&in->lines);
	}
}

/* ---- what is sealed */

/* Seals are bound to the tenant's id: with another one what they close is sealed again. */
static int reseal(struct input *in, PGresult *secrets, int row)
{
	const char *kind = PQgetvalue(secrets, row, 0), *name = PQgetvalue(secrets, row, 1);
	const char *belongs_to = PQgetvalue(secrets, row, 2);
	const char *text = secret_unseal(
		in->arena, PQgetvalue(secrets, row, 3), arena_printf(in->arena, "%s %s", in->id_there, belongs_to));
	const char *args[] = {kind, name, NULL};

	if (text == NULL) {
		fprintf(stderr,
			"exedractl: the secret of the %s %s cannot be opened with this server's secret.file: "
			"give it again.\n",
			kind, name);
		return 0;
	}
	if (strcmp(in->tenant_id, in->id_there) == 0)
		return 0;
	args[2] = secret_seal(in->arena, text, arena_printf(in->arena, "%s %s", in->tenant_id, belongs_to));
	return run_simple(in->pg, &sql_ctl_import_seal, args);
}

static int reseal_all(struct input *in, const char *path)
{
	char problem[700];
	struct config *config = NULL;
	PGresult *secrets = run(in->pg, &sql_ctl_import_sealed, NULL);
	int i, result = secrets == NULL ? -1 : 0;

	if (result == 0 && PQntuples(secrets) > 0 &&
		((config = config_read(path, problem, sizeof(problem))) == NULL ||
			secret_load_key(config->secret_file, problem, sizeof(problem)) < 0))
		fprintf(stderr, "exedractl: %s\n", problem);
	for (i = 0; result == 0 && i < PQntuples(secrets); i++)
		result = reseal(in, secrets, i);
	config_free(config);
	PQclear(secrets);
	return result;
}

static int finish(struct input *in)
{
	PGresult *notes = run(in->pg, &sql_ctl_import_end, NULL);
	int i;

	for (i = 0; notes != NULL && i < PQntuples(notes); i++)
		fprintf(stderr, "exedractl: %s\n", PQgetvalue(notes, i, 0));
	PQclear(notes);
	return notes == NULL ? -1 : 0;
}

static int commit(struct input *in)
{
	PGresult *done = PQexec(in->pg, "COMMIT");
	int result = 0;

	if (PQresultStatus(done) != PGRES_COMMAND_OK || strcmp(PQcmdStatus(done), "COMMIT") != 0) {
		fail_with(in->pg, done);
		result = -1;
	}
	PQclear(done);
	return result;
}

int import_tenant(PGconn *pg, const char *config, const char *name)
{
	struct input in = {.pg = pg, .lines = {.from = stdin, .most = TRANSFER_LINE}, .arena = arena_new()};
	int result;

	if (in.arena == NULL || secret_open() < 0)
		return 1;
	PQsetClientEncoding(pg, "UTF8");
	PQclear(PQexec(pg, "BEGIN"));
	lines_begin(&in.lines);
	result = begin(&in, name);
	if (result == 0)
		result = read_rows(&in);
	if (result == 0 && (result = reseal_all(&in, config)) == 0)
		result = finish(&in);
	if (result == 0 && (result = commit(&in)) == 0)
		puts(in.tenant_id);
	else if (result < 0) /* as a broken connection would */
		PQclear(PQexec(pg, "ROLLBACK"));
	lines_end(&in.lines);
	arena_free(in.arena);
	return result == 0 ? 0 : 1;
}
