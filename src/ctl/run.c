/* SPDX-License-Identifier: ISC */
#include "ctl/run.h"

#include <stdio.h>
#include <string.h>

int fail_with(PGconn *pg, const PGresult *rows)
{
	const char *primary = rows == NULL ? NULL : PQresultErrorField(rows, PG_DIAG_MESSAGE_PRIMARY);
	const char *sqlstate = rows == NULL ? NULL : PQresultErrorField(rows, PG_DIAG_SQLSTATE);

	if (sqlstate != NULL && (strcmp(sqlstate, "3F000") == 0 || strcmp(sqlstate, "42883") == 0))
		fprintf(stderr, "exedractl: %s (has `exedractl init` been run on this database?)\n", primary);
	else if (primary != NULL)
		fprintf(stderr, "exedractl: %s\n", primary);
	else
		fprintf(stderr, "exedractl: %s", PQerrorMessage(pg));
	return 1;
}

PGresult *run(PGconn *pg, const struct stmt *stmt, const char *const *args)
{
	PGresult *rows = PQexecParams(pg, stmt->text, stmt->n_params, NULL, args, NULL, NULL, 0);

	if (PQresultStatus(rows) == PGRES_TUPLES_OK || PQresultStatus(rows) == PGRES_COMMAND_OK)
		return rows;
	fail_with(pg, rows);
	PQclear(rows);
	return NULL;
}

int run_simple(PGconn *pg, const struct stmt *stmt, const char *const *args)
{
	PGresult *rows = run(pg, stmt, args);

	PQclear(rows);
	return rows == NULL ? -1 : 0;
}
