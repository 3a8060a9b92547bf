/* SPDX-License-Identifier: ISC */
#include "core/retain.h"

#include "core/job.h"
#include "store/db.h"

enum {
	BATCH = 1000,   /* rows of a transaction */
	BATCHES = 20,   /* that delete something, before others' jobs have their turn */
	FORMER = 20000, /* rows of tenants that are gone, in one sweep */
	TRIES = 10000   /* to sign in, of one transaction */
};

/* One kind, batch by batch, from behind `after` on.  Where to go on stays in *at: NULL when all is done. */
static int expire(struct task *task, const char *what, int days, int *left, const char **at)
{
	const char *days_text = db_int_arg(task->arena, days), *batch = db_int_arg(task->arena, BATCH);
	struct arena *small = arena_within(task->arena);

	while (*at != NULL && *left > 0) {
		PGresult *rows;
		const char *next;

		if (fail_if_stopped(task) < 0)
			return -1;
		rows = db_rows_in(small, task, &sql_event_expire, ARGS(what, days_text, *at, batch));
		if (rows == NULL)
			return -1;
		*left -= db_int(rows, 0, "n") > 0;
		next = db_text(rows, 0, "next_id");
		*at = next == NULL ? NULL : arena_strdup(task->arena, next);
		arena_empty(small);
	}
	return 0;
}

int retain_job(struct task *task, const struct config *config, const char *chat)
{
	const char *chats = chat, *visitors = "0", *usage = "0", *events = "0";
	int left = BATCHES;

	if (expire(task, "chats", config->retain_chats, &left, &chats) < 0 ||
		expire(task, "visitors", config->retain_visitors, &left, &visitors) < 0 ||
		expire(task, "usage", config->retain_usage, &left, &usage) < 0 ||
		expire(task, "events", config->retain_events, &left, &events) < 0)
		return -1;
	if (chats == NULL && visitors == NULL && usage == NULL && events == NULL)
		return 0;
	/* A job under the same subject would be this one, and waits again once it is done. */
	return job_enqueue(task, "retain", chats == NULL ? "0" : chats);
}

void retain_job_failed(struct task *task, const struct config *config, const char *chat, const char *reason)
{
	(void)task;
	(void)config;
	(void)chat;
	(void)reason;
}

/* A little at a time, so that nothing is locked for long. */
static void expire_former(struct task *task, const struct config *config)
{
	int64_t n = BATCH, total = 0;

	while (n == BATCH && total < FORMER) {
		PGresult *rows = db_rows(task, &sql_event_expire_former,
			ARGS(db_int_arg(task->arena, config->retain_usage),
				db_int_arg(task->arena, config->retain_events), db_int_arg(task->arena, BATCH)));

		n = rows == NULL ? 0 : db_int(rows, 0, "n");
		total += n;
		arena_empty(task->arena);
	}
}

static void expire_tries(struct task *task)
{
	int64_t n = TRIES;

	while (n == TRIES) {
		PGresult *rows = db_rows(task, &sql_account_expire_tries, ARGS(db_int_arg(task->arena, TRIES)));

		n = rows == NULL ? 0 : db_int(rows, 0, "n");
		arena_empty(task->arena);
	}
}

void retain_sweep(const struct config *config)
{
	struct task task = task_upkeep(0);

	if (task.arena == NULL)
		return;
	db_rows(&task, &sql_event_plan,
		ARGS(db_int_arg(task.arena, config->retain_chats), db_int_arg(task.arena, config->retain_visitors),
			db_int_arg(task.arena, config->retain_usage), db_int_arg(task.arena, config->retain_events)));
	arena_empty(task.arena);
	fail_clear(&task);
	expire_former(&task, config);
	fail_clear(&task);
	expire_tries(&task);
	arena_free(task.arena);
}
