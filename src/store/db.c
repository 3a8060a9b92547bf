/* SPDX-License-Identifier: ISC
 * The pipeline: what a task wants goes out in one flush and comes back as one transaction. */
#include "store/db.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/pool.h"
#include "store/sqlstate.h"
#include "store/used.h"

enum { MAX_CALLS = 8, MAX_TRIES = 3, MAX_PARAMS = 16, MAX_RIDERS = 15 };

/* One task's part of a transaction. */
struct turn {
	struct rider rider; /* first: the pool knows the turn by it */
	struct task *task;
	struct db_call *calls; /* the entry first, where there is one */
	int n_calls;
	int n_queued;
	struct {
		int call;
		bool prepare;
		PGresult *rows;
	} queued[2 * (MAX_CALLS + 2)]; /* what results will come, in order */
	PGresult *error;               /* the first one */
	bool lost;                     /* the connection died, or did not answer in time */
	bool spoilt;                   /* it shared a transaction that failed: it has to be done alone */
};

/* A connection at work for one turn, or for several that share a transaction. */
struct trip {
	struct conn *conn;
	int64_t deadline_ms;
	struct turn *turns[MAX_RIDERS + 1];
	int n_turns;
	bool lost, failed;
};

static void clear_rows(void *rows)
{
	PQclear(rows);
}

static int queue_call(struct conn *conn, struct turn *turn, int call)
{
	const struct db_call *c = &turn->calls[call];
	const struct stmt *stmt = c->stmt;
	int formats[MAX_PARAMS] = {0}, i;

	assert(c->n_args == stmt->n_params && stmt->n_params <= MAX_PARAMS);
	for (i = 0; c->lengths != NULL && i < c->n_args; i++)
		formats[i] = c->lengths[i] > 0;
	if (!pool_config()->db_prepare) {
		if (!PQsendQueryParams(conn->pg, stmt->text, c->n_args, NULL, c->args, c->lengths, formats, c->binary))
			return -1;
	} else {
		if (!conn->prepared[stmt->id]) {
			if (!PQsendPrepare(conn->pg, stmt->name, stmt->text, 0, NULL))
				return -1;
			conn->prepared[stmt->id] = 1;
			turn->queued[turn->n_queued].prepare = true;
			turn->queued[turn->n_queued++].call = call;
		}
		if (!PQsendQueryPrepared(conn->pg, stmt->name, c->n_args, c->args, c->lengths, formats, c->binary))
			return -1;
	}
	turn->queued[turn->n_queued].prepare = false;
	turn->queued[turn->n_queued++].call = call;
	return 0;
}

/* One result: rows of a call, word that a statement is prepared, or the error that ends the transaction; behind the
 * last call's, what the commit says. */
static void take_result(struct trip *trip, PGresult *rows, int *turn_no, int *next)
{
	struct turn *turn;
	int place;

	while (*turn_no < trip->n_turns - 1 && *next == trip->turns[*turn_no]->n_queued) {
		(*turn_no)++;
		*next = 0;
	}
	turn = trip->turns[*turn_no];
	place = *next;
	if (place < turn->n_queued) {
		turn->queued[place].rows = rows;
		(*next)++;
	}
	if (PQresultStatus(rows) != PGRES_COMMAND_OK && PQresultStatus(rows) != PGRES_TUPLES_OK) {
		trip->failed = true;
		if (place < turn->n_queued && turn->queued[place].prepare)
			trip->conn->prepared[turn->calls[turn->queued[place].call].stmt->id] = 0;
		if (turn->error == NULL && PQresultStatus(rows) != PGRES_PIPELINE_ABORTED) {
			turn->error = rows;
			return;
		}
	}
	if (place == turn->n_queued)
		PQclear(rows);
}

/* libpq's own word, and not the server's: it had no memory, say.  It may then never tell of the end of the pipeline. */
static bool is_broken(const PGresult *rows)
{
	return PQresultStatus(rows) == PGRES_FATAL_ERROR && PQresultErrorField(rows, PG_DIAG_SQLSTATE) == NULL;
}

static void take_results(struct trip *trip)
{
	int turn = 0, next = 0, empty = 0;

	/* Between two statements' results stands one NULL; two in a row mean that nothing more will come. */
	while (empty < 2) {
		PGresult *rows = conn_result(trip->conn, trip->deadline_ms, &trip->lost);

		if (trip->lost)
			return;
		if (rows == NULL) {
			empty++;
			continue;
		}
		empty = 0;
		if (PQresultStatus(rows) == PGRES_PIPELINE_SYNC || is_broken(rows)) {
			trip->lost = is_broken(rows);
			PQclear(rows);
			return;
		}
		take_result(trip, rows, &turn, &next);
	}
	trip->lost = true;
}

/* Send everything and take everything back.  The transaction has happened only if this ends with neither an error nor
 * a lost connection: a commit can still fail after the statements' own results have come. */
static void run_trip(struct trip *trip)
{
	int t, i;

	for (t = 0; t < trip->n_turns; t++)
		for (i = 0; i < trip->turns[t]->n_calls; i++)
			if (queue_call(trip->conn, trip->turns[t], i) < 0)
				trip->lost = true;
	if (!trip->lost && (!PQpipelineSync(trip->conn->pg) || conn_flush(trip->conn, trip->deadline_ms) != 0))
		trip->lost = true;
	if (!trip->lost)
		take_results(trip);
	if (trip->lost) {
		log_event(LOG_WARNING, trip->turns[0]->task, "database_lost", "error=\"%s\"",
			PQerrorMessage(trip->conn->pg));
		trip->conn->broken = true;
	}
}

/* After an error the connection may be none any more, or what is prepared on it is stale. */
static bool still_good(const struct trip *trip)
{
	int t;

	for (t = 0; t < trip->n_turns; t++) {
		const PGresult *error = trip->turns[t]->error;
		const char *sqlstate = error == NULL ? "" : PQresultErrorField(error, PG_DIAG_SQLSTATE);

		if (sqlstate == NULL || strncmp(sqlstate, "57P", 3) == 0 || strncmp(sqlstate, "08", 2) == 0 ||
			sqlstate_stale(sqlstate))
			return false;
	}
	return !trip->lost;
}

/* Where many wait for a connection, those that may share a transaction do: one commit, one way there and back. */
static void take_along(struct trip *trip, int most)
{
	struct rider *riders = pool_riders(most), *rider;
	int t;

	for (rider = riders; rider != NULL; rider = rider->next)
		trip->turns[trip->n_turns++] = (struct turn *)rider;
	metrics_add(METRIC_DB_TRANSACTIONS, 0, 0, 1);
	if (trip->n_turns > 1)
		metrics_add(METRIC_DB_SHARED, 0, 0, trip->n_turns - 1);
	run_trip(trip);
	for (t = 0; t < trip->n_turns; t++) {
		trip->turns[t]->lost = trip->lost;
		trip->turns[t]->spoilt = trip->failed && trip->n_turns > 1;
	}
	trip->conn->broken = !still_good(trip);
	pool_let_off(riders);
}

/* What came belongs to the task from here on.  In the task's own thread: its memory may run out. */
static void keep_results(struct turn *turn)
{
	int i;

	for (i = 0; i < turn->n_queued; i++) {
		PGresult *rows = turn->queued[i].rows;

		if (rows == NULL)
			continue;
		arena_later(turn->task->arena, clear_rows, rows);
		if (!turn->queued[i].prepare)
			turn->calls[turn->queued[i].call].rows = rows;
	}
}

static void note_error(struct turn *turn)
{
	const char *sqlstate = PQresultErrorField(turn->error, PG_DIAG_SQLSTATE);
	int i;

	for (i = 0; i < turn->n_queued && turn->queued[i].rows != turn->error; i++)
		;
	if (i == turn->n_queued)
		arena_later(turn->task->arena, clear_rows, turn->error);
	fail_clear(turn->task);
	sqlstate_fail(turn->task, sqlstate, PQresultErrorField(turn->error, PG_DIAG_MESSAGE_PRIMARY),
		PQresultErrorField(turn->error, PG_DIAG_MESSAGE_DETAIL),
		i < turn->n_queued ? turn->calls[turn->queued[i].call].stmt->name : "commit");
}

/* After a turn that failed: is there sense in another one? */
static bool try_again(const struct turn *turn, int tries)
{
	const char *sqlstate = turn->error == NULL ? NULL : PQresultErrorField(turn->error, PG_DIAG_SQLSTATE);

	if (tries >= MAX_TRIES)
		return false;
	/* A reader may simply ask again.  A writer may not: the commit can have happened. */
	if (turn->lost)
		return (turn->task->identity.entry == ENTER_BY_KEY || turn->task->identity.entry == ENTER_BY_EMBED) &&
		       turn->task->identity.read_only;
	if (sqlstate == NULL)
		return false;
	return sqlstate_stale(sqlstate) ? tries < 2 : sqlstate_retriable(sqlstate);
}

/* May others do it along with theirs? */
static bool may_share(const struct turn *turn)
{
	int i;

	for (i = 0; i < turn->n_calls; i++)
		if (!turn->calls[i].stmt->shares)
			return false;
	return turn->n_calls > 0;
}

/* Run it on a connection, or let somebody else do so.  -1 when there is neither, with the reason in the task. */
static int take_turn(struct turn *turn, bool share)
{
	struct task *task = turn->task;
	/* A little more than the statement's own time-out, so that PostgreSQL's word comes first. */
	struct trip trip = {.turns[0] = turn,
		.n_turns = 1,
		.deadline_ms = clock_ms() + (task->db_patience_ms > 0 ? task->db_patience_ms
								      : pool_config()->db_timeout_s * 1000 + 2000)};

	/* Large work has a turn of its own, which whoever took it along would not give back. */
	share = share && may_share(turn) && !task->bulk;
	trip.conn = pool_take(task, trip.deadline_ms, share ? &turn->rider : NULL);
	if (trip.conn == NULL && !turn->rider.done)
		return -1;
	if (trip.conn == NULL)
		return 0;
	take_along(&trip, share ? MAX_RIDERS : 0);
	pool_give(task, trip.conn);
	return 0;
}

static void learn_identity(struct task *task, PGresult *rows)
{
	task->identity.tenant_id = db_int(rows, 0, "tenant_id");
	task->identity.account_id = db_int(rows, 0, "account_id");
	task->identity.role = (enum role)db_int(rows, 0, "role");
	task->identity.limited = db_true(rows, 0, "limited");
	if (task->identity.entry == ENTER_BY_KEY)
		used_note(task->identity.key_hash);
}

/* The statement that begins the task's transactions, in calls[0]; returns how many that are (0 or 1). */
static int entry_call(struct task *task, struct db_call *call)
{
	static const int hash_length[] = {(int)sizeof(task->identity.key_hash), 0, 0, 0, 0, 0, 0};
	struct identity *who = &task->identity;
	const char **args;

	if (who->entry == ENTER_NOTHING)
		return 0;
	args = arena_get(task->arena, 7 * sizeof(*args));
	call->args = args;
	if (who->entry == ENTER_BY_TICKET) {
		call->stmt = &sql_session_resume;
		call->n_args = 3;
		args[0] = db_int_arg(task->arena, who->tenant_id);
		args[1] = who->chat_id;
		args[2] = who->ticket;
		return 1;
	}
	if (who->entry == ENTER_BY_JOB) {
		call->stmt = &sql_session_work;
		call->n_args = 2;
		args[0] = who->job_id;
		args[1] = who->ticket;
		return 1;
	}
	if (who->entry == ENTER_BY_EMBED) {
		call->stmt = &sql_session_visit;
		call->n_args = 4;
		args[0] = who->embed;
		args[1] = db_bool_arg(who->read_only);
		args[2] = db_int_arg(task->arena, DB_SCHEMA_VERSION);
		args[3] = who->tenant_name;
		return 1;
	}
	call->stmt = &sql_session_enter;
	call->n_args = 7;
	call->lengths = hash_length;
	args[0] = (const char *)who->key_hash;
	args[1] = db_int_arg(task->arena, who->least);
	args[2] = db_bool_arg(who->read_only);
	args[3] = db_int_arg(task->arena, DB_SCHEMA_VERSION);
	args[4] = who->tenant_name;
	args[5] = who->group;
	args[6] = who->address;
	return 1;
}

/* What writes an event is told first where the request comes from; returns how many calls that takes (0 or 1). */
static int origin_call(struct task *task, const struct db_call *calls, int n_calls, struct db_call *call)
{
	const struct identity *who = &task->identity;
	const char **args;
	int i = 0;

	while (i < n_calls && !calls[i].stmt->notes)
		i++;
	if (i == n_calls)
		return 0;
	args = arena_get(task->arena, 3 * sizeof(*args));
	args[0] = who->address;
	args[1] = task->id;
	args[2] = who->entry == ENTER_BY_KEY ? "key" : who->entry == ENTER_NOTHING ? "nobody" : "worker";
	*call = (struct db_call){.stmt = &sql_event_origin, .args = args, .n_args = 3};
	return 1;
}

int db_run(struct task *task, struct db_call *calls, int n_calls)
{
	struct db_call all[MAX_CALLS + 2] = {{0}};
	int n_entry = entry_call(task, &all[0]), tries = 0, i;
	bool entered = n_entry == 1;
	bool done = false, again = true, alone = false;

	assert(n_calls <= MAX_CALLS);
	n_entry += origin_call(task, calls, n_calls, &all[n_entry]);
	if (n_calls > 0)
		memcpy(all + n_entry, calls, (size_t)n_calls * sizeof(*calls));
	while (again && !done) {
		struct turn turn = {.task = task, .calls = all, .n_calls = n_entry + n_calls};

		if (take_turn(&turn, !alone) < 0)
			return -1;
		keep_results(&turn);
		alone = alone || turn.spoilt;
		done = !turn.lost && !turn.spoilt && turn.error == NULL;
		if (turn.error != NULL)
			note_error(&turn);
		if (turn.lost)
			sqlstate_fail(task, NULL, NULL, NULL, all[turn.n_calls - 1].stmt->name);
		again = turn.spoilt || (!done && try_again(&turn, ++tries));
		if (again)
			fail_clear(task);
	}
	if (!done)
		return -1;
	if (entered && (task->identity.entry == ENTER_BY_KEY || task->identity.entry == ENTER_BY_EMBED))
		learn_identity(task, all[0].rows);
	for (i = 0; i < n_calls; i++)
		calls[i].rows = all[n_entry + i].rows;
	return 0;
}

PGresult *db_rows(struct task *task, const struct stmt *stmt, const char *const *args, int n_args)
{
	struct db_call call = {.stmt = stmt, .args = args, .n_args = n_args};

	return db_run(task, &call, 1) < 0 ? NULL : call.rows;
}

int db_run_in(struct arena *arena, struct task *task, struct db_call *calls, int n_calls)
{
	struct task inner = task_within(task, arena);
	int result = db_run(&inner, calls, n_calls);

	task->identity.tenant_id = inner.identity.tenant_id;
	task->identity.account_id = inner.identity.account_id;
	task->identity.role = inner.identity.role;
	task->identity.limited = inner.identity.limited;
	if (result < 0)
		fail_take(task, &inner);
	return result;
}

PGresult *db_rows_in(
	struct arena *arena, struct task *task, const struct stmt *stmt, const char *const *args, int n_args)
{
	struct db_call call = {.stmt = stmt, .args = args, .n_args = n_args};

	return db_run_in(arena, task, &call, 1) < 0 ? NULL : call.rows;
}

int db_enter(struct task *task)
{
	return db_run(task, NULL, 0);
}
