/* SPDX-License-Identifier: ISC */
#include "core/limit.h"

#include "base/log.h"
#include "llm/provider.h"
#include "store/db.h"

enum { ANSWER_TOKENS = 500 /* set aside for an answer, of which nobody knows the length */ };

struct settlement {
	struct task *task;
	const char *ticket;
	int64_t tokens;
	bool counts;
};

int limit_hold(struct task *task, const char *ticket, size_t bytes)
{
	int64_t tokens = llm_tokens(bytes) + ANSWER_TOKENS;

	return db_rows(task, &sql_limit_hold, ARGS(ticket, db_int_arg(task->arena, tokens))) == NULL ? -1 : 0;
}

static int settle(void *arg)
{
	const struct settlement *s = arg;
	struct arena *arena = s->task->arena;

	return db_rows(s->task, &sql_limit_settle,
		       ARGS(db_int_arg(arena, s->task->identity.tenant_id), s->ticket, db_int_arg(arena, s->tokens),
			       db_bool_arg(s->counts))) == NULL
		       ? -1
		       : 0;
}

/* What could not be settled is given back an hour later, when somebody needs it (exedra.free_limits()). */
void limit_settle(struct task *task, const char *ticket, int64_t tokens, bool counts)
{
	struct settlement settlement = {task, ticket, tokens, counts};
	const struct failure failure = task->failure;
	const enum entry entry = task->identity.entry;

	fail_clear(task);
	task->identity.entry = ENTER_NOTHING; /* settle_limits() begins its transaction by the ticket itself */
	if (task_attempt(task, settle, &settlement) < 0)
		log_event(LOG_WARNING, task, "limit_unsettled", "ticket=%s", ticket);
	task->identity.entry = entry;
	task->failure = failure;
}
