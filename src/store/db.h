/* SPDX-License-Identifier: ISC
 * Statements run for a task.  Each call is one round trip and one transaction: first the task's entry (its identity:
 * exedra.enter() or exedra.resume()), then the statements; all of it happens, or nothing. */
#ifndef EXEDRA_DB_H
#define EXEDRA_DB_H

#include <libpq-fe.h>

#include "base/str.h"
#include "base/task.h"
#include "statements.h"
#include "store/value.h"

/* The schema version this program is built for: the number of the last file in sql/schema. */
enum { DB_SCHEMA_VERSION = 1 };

/* Parameters of one statement, as text in UTF-8 unless said otherwise; NULL is SQL's NULL. */
#define ARGS(...) (const char *const[]){__VA_ARGS__}, (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
#define NO_ARGS NULL, 0

struct db_call {
	const struct stmt *stmt;
	const char *const *args;
	int n_args;
	const int *lengths; /* of arguments that are bytes, not text; 0: text; NULL: all are text */
	bool binary;        /* the rows come as bytes, as PostgreSQL sends each type */
	PGresult *rows;     /* out: belongs to the task's arena */
};

/* Run one statement.  Its rows belong to the task's arena.  NULL on failure, with the reason in the task: the status
 * of the SQLSTATE (sqlstate.h), 503 when the database cannot be reached or answers too late. */
PGresult *db_rows(struct task *, const struct stmt *, const char *const *args, int n_args);
/* The same with memory of its own: rows, and what is made on the way, belong to `arena`, which may be emptied long
 * before the task's; the failure and the identity are the task's as ever. */
PGresult *db_rows_in(struct arena *, struct task *, const struct stmt *, const char *const *args, int n_args);
/* Run several in one transaction.  0, or -1 with the reason in the task. */
int db_run(struct task *, struct db_call *, int n_calls);
int db_run_in(struct arena *, struct task *, struct db_call *, int n_calls);
/* Only begin (and end) a transaction: is the caller who it says, and may it? */
int db_enter(struct task *);

#endif
