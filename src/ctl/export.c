/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "ctl/run.h"
#include "ctl/transfer.h"
#include "statements.h"
#include "store/secret.h"

#define ROWS_AT_ONCE "1048576" /* bytes, about */

struct output {
	PGconn *pg;
	struct arena *arena;
	struct secret_hash hash;
	long long lines;
};

const char *transfer_end(struct arena *arena, long long lines, const unsigned char hash[32])
{
	struct str *line = str_new(arena);
	int i;

	str_printf(line, "{\"end\":{\"lines\":%lld,\"sha256\":\"", lines);
	for (i = 0; i < 32; i++)
		str_printf(line, "%02x", hash[i]);
	str_puts(line, "\"}}");
	return line->at;
}

static int write_bytes(struct output *out, const char *bytes, size_t len)
{
	secret_hash_add(&out->hash, bytes, len);
	if (fwrite(bytes, 1, len, stdout) == len)
		return 0;
	fprintf(stderr, "exedractl: writing: %s.\n", strerror(errno));
	return -1;
}

/* All rows are lines.  How many, or -1. */
static int write_lines(struct output *out, const PGresult *rows)
{
	int i;

	for (i = 0; i < PQntuples(rows); i++, out->lines++)
		if (write_bytes(out, PQgetvalue(rows, i, 0), (size_t)PQgetlength(rows, i, 0)) < 0 ||
			write_bytes(out, "\n", 1) < 0)
			return -1;
	return i;
}

/* What a statement gives, as lines.  How many, or -1. */
static int write_rows(struct output *out, const struct stmt *stmt, const char *arg)
{
	PGresult *rows = run(out->pg, stmt, &arg);
	int n = rows == NULL ? -1 : write_lines(out, rows);

	PQclear(rows);
	return n;
}

static int write_table(struct output *out, const char *table)
{
	int n;

	if (run_simple(out->pg, &sql_ctl_export_open, &table) < 0)
		return -1;
	while ((n = write_rows(out, &sql_ctl_export_next, ROWS_AT_ONCE)) > 0)
		;
	return n;
}

static int write_tables(struct output *out)
{
	PGresult *tables = run(out->pg, &sql_ctl_export_tables, NULL);
	int i, result = tables == NULL ? -1 : 0;

	for (i = 0; result == 0 && i < PQntuples(tables); i++)
		result = write_table(out, PQgetvalue(tables, i, 0));
	PQclear(tables);
	return result;
}

static int write_end(struct output *out)
{
	unsigned char hash[32];

	secret_hash_end(&out->hash, hash);
	if (printf("%s\n", transfer_end(out->arena, out->lines, hash)) > 0 && fflush(stdout) == 0)
		return 0;
	fprintf(stderr, "exedractl: writing: %s.\n", strerror(errno));
	return -1;
}

static int write_tenant(struct output *out, const char *tenant)
{
	secret_hash_begin(&out->hash);
	if (write_rows(out, &sql_ctl_export_begin, tenant) < 0 || write_tables(out) < 0 ||
		run_simple(out->pg, &sql_ctl_export_end, NULL) < 0)
		return -1;
	return write_end(out);
}

int export_tenant(PGconn *pg, const char *tenant)
{
	struct output out = {.pg = pg, .arena = arena_new()};
	int result;

	if (out.arena == NULL || secret_open() < 0)
		return 1;
	PQsetClientEncoding(pg, "UTF8");
	PQclear(PQexec(pg, "BEGIN ISOLATION LEVEL REPEATABLE READ"));
	result = write_tenant(&out, tenant);
	PQclear(PQexec(pg, result == 0 ? "COMMIT" : "ROLLBACK"));
	arena_free(out.arena);
	return result == 0 ? 0 : 1;
}
