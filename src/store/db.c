/* SPDX-License-Identifier: ISC
 * The pipeline: what a task wants goes out in one flush and comes back as one transaction. */
#include "store/db.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/pool.h"
#include "store/sqlstate.h"

enum { MAX_CALLS = 8, MAX_TRIES = 3, MAX_PARAMS = 16 };

/* One turn of a pipeline. */
struct turn {
	struct task *task;
	struct conn *conn;
	int64_t deadline_ms;
	struct db_call *calls; /* the entry first, where there is one */
	int n_calls;
	int n_queued;
	struct {
		int call;
		bool prepare;
	} queued[2 * (MAX_CALLS + 1)]; /* what results will come, in order */
	bool lost;                     /* the connection died, or did not answer in time */
	char sqlstate[6];              /* of the first error; "" = none */
};

static void clear_rows(void *rows)
{
	PQclear(rows);
}

static int queue_call(struct turn *turn, int call)
{
	const struct db_call *c = &turn->calls[call];
	const struct stmt *stmt = c->stmt;
	int lengths[MAX_PARAMS] = {0}, formats[MAX_PARAMS] = {0};
	PGconn *pg = turn->conn->pg;

	assert(c->n_args == stmt->n_params && stmt->n_params <= MAX_PARAMS);
	if (stmt == &sql_session_enter) {
		lengths[0] = (int)sizeof(turn->task->identity.key_hash);
		formats[0] = 1;
	}
	if (!pool_config()->db_prepare) {
		if (!PQsendQueryParams(pg, stmt->text, c->n_args, NULL, c->args, lengths, formats, 0))
			return -1;
	} else {
		if (!turn->conn->prepared[stmt->id]) {
			if (!PQsendPrepare(pg, stmt->name, stmt->text, 0, NULL))
				return -1;
			turn->queued[turn->n_queued].prepare = true;
			turn->queued[turn->n_queued++].call = call;
		}
		if (!PQsendQueryPrepared(pg, stmt->name, c->n_args, c->args, lengths, formats, 0))
			return -1;
	}
	turn->queued[turn->n_queued].prepare = false;
	turn->queued[turn->n_queued++].call = call;
	return 0;
}

static void note_error(struct turn *turn, const PGresult *rows, int call)
{
	const char *sqlstate = PQresultErrorField(rows, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(rows, PG_DIAG_MESSAGE_PRIMARY);

	if (turn->sqlstate[0] != '\0')
		return;
	snprintf(turn->sqlstate, sizeof(turn->sqlstate), "%s", sqlstate == NULL ? "08006" : sqlstate);
	if (sqlstate == NULL || strncmp(sqlstate, "57P", 3) == 0 || strncmp(sqlstate, "08", 2) == 0)
		turn->conn->broken = true;
	fail_clear(turn->task);
	sqlstate_fail(turn->task, sqlstate, primary, PQresultErrorField(rows, PG_DIAG_MESSAGE_DETAIL),
		call < turn->n_calls ? turn->calls[call].stmt->name : "commit");
}

/* One result: rows of a call, word that a statement is prepared, or the error that ends the transaction. */
static void take_result(struct turn *turn, PGresult *rows, int *next)
{
	int call = *next < turn->n_queued ? turn->queued[*next].call : turn->n_calls;
	bool prepare = *next < turn->n_queued && turn->queued[*next].prepare;

	switch (PQresultStatus(rows)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		if (prepare)
			turn->conn->prepared[turn->calls[call].stmt->id] = 1;
		else if (call < turn->n_calls)
			turn->calls[call].rows = rows;
		(*next)++;
		break;
	case PGRES_PIPELINE_ABORTED:
		(*next)++;
		break;
	default:
		note_error(turn, rows, call);
		(*next)++;
	}
}

static void take_results(struct turn *turn)
{
	int next = 0, empty = 0;

	/* Between two statements' results stands one NULL; two in a row mean that nothing more will come. */
	while (empty < 2) {
		PGresult *rows = pool_result(turn->conn, turn->deadline_ms, &turn->lost);

		if (turn->lost)
			return;
		if (rows == NULL) {
			empty++;
			continue;
		}
		empty = 0;
		arena_later(turn->task->arena, clear_rows, rows);
		if (PQresultStatus(rows) == PGRES_PIPELINE_SYNC)
			return;
		take_result(turn, rows, &next);
	}
	turn->lost = true;
}

/* Send everything and take everything back.  The transaction has happened only if this ends with neither an error nor
 * a lost connection: a commit can still fail after the statements' own results have come. */
static void run_turn(struct turn *turn)
{
	int i;

	for (i = 0; i < turn->n_calls; i++)
		if (queue_call(turn, i) < 0)
			turn->lost = true;
	if (!turn->lost && (!PQpipelineSync(turn->conn->pg) || pool_flush(turn->conn, turn->deadline_ms) != 0))
		turn->lost = true;
	if (!turn->lost)
		take_results(turn);
	if (turn->lost) {
		log_event(LOG_WARNING, turn->task, "database_lost", "error=\"%s\"", PQerrorMessage(turn->conn->pg));
		turn->conn->broken = true;
	}
}

/* After a turn that failed: is there sense in another one? */
static bool try_again(struct turn *turn, int tries)
{
	if (tries >= MAX_TRIES)
		return false;
	/* A reader may simply ask again.  A writer may not: the commit can have happened. */
	if (turn->lost)
		return turn->task->identity.entry == ENTER_BY_KEY && turn->task->identity.read_only;
	if (sqlstate_stale(turn->sqlstate)) {
		turn->conn->broken = true;
		return tries < 2;
	}
	return sqlstate_retriable(turn->sqlstate);
}

static void learn_identity(struct task *task, PGresult *rows)
{
	task->identity.tenant_id = db_int(rows, 0, "tenant_id");
	task->identity.account_id = db_int(rows, 0, "account_id");
	task->identity.role = (enum role)db_int(rows, 0, "role");
}

/* The statement that begins the task's transactions, in calls[0]; returns how many that are (0 or 1). */
static int entry_call(struct task *task, struct db_call *call)
{
	struct identity *who = &task->identity;
	const char **args;

	if (who->entry == ENTER_NOTHING)
		return 0;
	args = arena_get(task->arena, 5 * sizeof(*args));
	call->args = args;
	if (who->entry == ENTER_BY_TICKET) {
		call->stmt = &sql_session_resume;
		call->n_args = 3;
		args[0] = db_int_arg(task->arena, who->tenant_id);
		args[1] = who->chat_id;
		args[2] = who->ticket;
		return 1;
	}
	call->stmt = &sql_session_enter;
	call->n_args = 5;
	args[0] = (const char *)who->key_hash;
	args[1] = db_int_arg(task->arena, who->least);
	args[2] = db_bool_arg(who->read_only);
	args[3] = db_int_arg(task->arena, DB_SCHEMA_VERSION);
	args[4] = who->tenant_name;
	return 1;
}

int db_run(struct task *task, struct db_call *calls, int n_calls)
{
	struct db_call all[MAX_CALLS + 1] = {{0}};
	int n_entry = entry_call(task, &all[0]), tries, i;
	bool done = false, again = true;

	assert(n_calls <= MAX_CALLS);
	if (n_calls > 0)
		memcpy(all + n_entry, calls, (size_t)n_calls * sizeof(*calls));
	for (tries = 1; again && !done; tries++) {
		struct turn turn = {.task = task, .calls = all, .n_calls = n_entry + n_calls};

		/* A little more than the statement's own time-out, so that PostgreSQL's word comes first. */
		turn.deadline_ms = clock_ms() + (task->db_patience_ms > 0 ? task->db_patience_ms
									  : pool_config()->db_timeout_s * 1000 + 2000);
		turn.conn = pool_take(task, turn.deadline_ms);
		if (turn.conn == NULL)
			return -1;
		run_turn(&turn);
		done = !turn.lost && turn.sqlstate[0] == '\0';
		again = !done && try_again(&turn, tries);
		pool_give(task, turn.conn);
		if (turn.lost)
			sqlstate_fail(task, NULL, NULL, NULL, all[turn.n_calls - 1].stmt->name);
		if (again)
			fail_clear(task);
	}
	if (!done)
		return -1;
	if (n_entry == 1 && task->identity.entry == ENTER_BY_KEY)
		learn_identity(task, all[0].rows);
	for (i = 0; i < n_calls; i++)
		calls[i].rows = all[n_entry + i].rows;
	return 0;
}

PGresult *db_rows(struct task *task, const struct stmt *stmt, const char *const *args, int n_args)
{
	struct db_call call = {stmt, args, n_args, NULL};

	return db_run(task, &call, 1) < 0 ? NULL : call.rows;
}

PGresult *db_rows_in(struct arena *arena, struct task *task, const struct stmt *stmt, const char *const *args, int n_args)
{
	struct task inner = *task;
	PGresult *rows;

	inner.arena = arena;
	rows = db_rows(&inner, stmt, args, n_args);
	task->identity.tenant_id = inner.identity.tenant_id;
	task->identity.account_id = inner.identity.account_id;
	task->identity.role = inner.identity.role;
	if (rows == NULL)
		fail_take(task, &inner);
	return rows;
}

int db_enter(struct task *task)
{
	return db_run(task, NULL, 0);
}

void db_abandon(struct task *task)
{
	pool_abandon(task);
}

const char *db_text(PGresult *rows, int row, const char *column)
{
	int no = PQfnumber(rows, column);

	assert(no >= 0);
	return PQgetisnull(rows, row, no) ? NULL : PQgetvalue(rows, row, no);
}

int64_t db_int(PGresult *rows, int row, const char *column)
{
	const char *text = db_text(rows, row, column);

	return text == NULL ? 0 : strtoll(text, NULL, 10);
}

double db_number(PGresult *rows, int row, const char *column)
{
	const char *text = db_text(rows, row, column);

	return text == NULL ? 0 : strtod(text, NULL);
}

bool db_true(PGresult *rows, int row, const char *column)
{
	const char *text = db_text(rows, row, column);

	return text != NULL && *text == 't';
}

const char *db_array(struct arena *arena, const char *const *items, size_t n)
{
	struct str *out = str_new(arena);
	size_t i;

	str_putc(out, '{');
	for (i = 0; i < n; i++) {
		const char *at = items[i], *stop;

		str_puts(out, i == 0 ? "\"" : ",\"");
		while ((stop = strpbrk(at, "\"\\")) != NULL) {
			str_add(out, at, (size_t)(stop - at));
			str_putc(out, '\\');
			str_putc(out, *stop);
			at = stop + 1;
		}
		str_puts(out, at);
		str_putc(out, '"');
	}
	str_putc(out, '}');
	return out->at;
}

const char *db_int_arg(struct arena *arena, int64_t number)
{
	return arena_printf(arena, "%lld", (long long)number);
}

const char *db_bool_arg(bool truth)
{
	return truth ? "true" : "false";
}
