/* SPDX-License-Identifier: ISC
 * Work in the background after a change of the embedder: new vectors for what is in use, then the end of the old ones.
 */
#include "base/clock.h"
#include "base/log.h"
#include "core/embed.h"
#include "core/embedder.h"
#include "core/job.h"
#include "store/db.h"

enum {
	SWEEP_ROWS = 2000, /* deleted in one transaction */
	SWEEP_S = 20,      /* then other jobs have their turn */
};

int embed_job(struct task *task, const struct config *config, const char *version_id)
{
	int result = embed_everywhere(task, config, version_id);

	if (result == 0 || task->failure.status != 409)
		return result;
	fail_clear(task); /* it is gone: there is nothing to do */
	return 0;
}

void embed_job_failed(struct task *task, const struct config *config, const char *version_id, const char *reason)
{
	(void)config;
	log_event(LOG_WARNING, task, "embed_given_up", "version=%s reason=\"%s\"", version_id, reason);
}

int embed_check(struct task *task, const struct config *config, const char *after)
{
	struct own_embedder own = embedder_own(task->arena, config);
	int64_t deadline_ms = clock_ms() + SWEEP_S * 1000;
	PGresult *rows = db_rows(task, &sql_embedder_check, ARGS(after, own.provider, own.model, own.dimensions));
	bool more = rows != NULL && db_true(rows, 0, "complete");

	while (more && clock_ms() < deadline_ms) {
		struct arena *small = arena_within(task->arena);

		task->bulk = true;
		rows = db_rows_in(small, task, &sql_embedder_sweep,
			ARGS(own.provider, own.model, own.dimensions, db_int_arg(small, SWEEP_ROWS)));
		task->bulk = false;
		more = rows != NULL && db_true(rows, 0, "more");
		arena_empty(small);
	}
	if (task->failure.status != 0)
		return -1;
	return more ? job_enqueue(task, "embed_check", "0") : 0;
}

void embed_check_failed(struct task *task, const struct config *config, const char *after, const char *reason)
{
	embed_job_failed(task, config, after, reason);
}

int embed_note(const struct config *config)
{
	struct task task = task_upkeep(0);
	struct own_embedder own;
	int result;

	if (task.arena == NULL)
		return -1;
	own = embedder_own(task.arena, config);
	result = db_rows(&task, &sql_embedder_note, ARGS(own.provider, own.model, own.dimensions)) == NULL ? -1 : 0;
	arena_free(task.arena);
	return result;
}
