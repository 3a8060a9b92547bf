/* SPDX-License-Identifier: ISC
 * The failure of a task: noted here, dressed and sent elsewhere. */
#include "base/task.h"

#include <string.h>

static void note(struct task *task, int status, const char *code, const char *field, const char *format, va_list args)
{
	struct failure *failure = &task->failure;

	if (failure->status != 0)
		return;
	failure->message = arena_vprintf(task->arena, format, args);
	failure->field = arena_strdup(task->arena, field);
	failure->code = code;
	failure->status = status;
}

int fail(struct task *task, int status, const char *code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(task, status, code, NULL, format, args);
	va_end(args);
	return -1;
}

int fail_field(struct task *task, int status, const char *code, const char *field, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(task, status, code, field, format, args);
	va_end(args);
	return -1;
}

void fail_take(struct task *task, const struct task *other)
{
	if (task->failure.status != 0)
		return;
	task->failure = other->failure;
	task->failure.code = arena_strdup(task->arena, other->failure.code);
	task->failure.message = arena_strdup(task->arena, other->failure.message);
	task->failure.field = arena_strdup(task->arena, other->failure.field);
}

bool task_is_stopped(const struct task *task)
{
	return __atomic_load_n(&task->stop, __ATOMIC_ACQUIRE) != STOP_NOT;
}

int fail_if_stopped(struct task *task)
{
	int why = __atomic_load_n(&task->stop, __ATOMIC_ACQUIRE);

	if (why == STOP_NOT)
		return 0;
	if (why == STOP_ENDING) {
		task->failure.retry_after_s = 1;
		return fail(task, 503, "server_ending", "The server is being restarted.");
	}
	if (why == STOP_GONE)
		return fail(task, 410, "chat_gone", "The chat was ended or deleted meanwhile.");
	return fail(task, 403, "chat_stopped", "The chat was ended: who asked may not ask any more.");
}

void fail_clear(struct task *task)
{
	memset(&task->failure, 0, sizeof task->failure);
}

int task_attempt(struct task *task, int (*work)(void *arg), void *arg)
{
	jmp_buf escape, *before = arena_escape(task->arena, &escape);
	int result;

	if (setjmp(escape) == 0) {
		result = work(arg);
		arena_escape(task->arena, before);
		return result;
	}
	arena_escape(task->arena, before);
	/* no fail(): it would need memory */
	task->failure = (struct failure){.status = 503,
		.code = "memory",
		.retry_after_s = 1,
		.message = "There is not enough memory for this at the moment."};
	return -1;
}

struct task task_within(const struct task *task, struct arena *arena)
{
	return (struct task){.arena = arena,
		.id = task->id,
		.failure = task->failure,
		.identity = task->identity,
		.gone_fd = task->gone_fd,
		.db_patience_ms = task->db_patience_ms,
		.bulk = task->bulk,
		.stop = __atomic_load_n(&task->stop, __ATOMIC_ACQUIRE)};
}

struct task task_upkeep(int db_patience_ms)
{
	return (struct task){.arena = arena_new(), .id = "upkeep", .gone_fd = -1, .db_patience_ms = db_patience_ms};
}

const char *role_name(enum role role)
{
	switch (role) {
	case NOBODY:
		return "nobody";
	case ANYONE:
		return "anyone";
	case MEMBER:
		return "default";
	case MANAGER:
		return "manager";
	case ADMIN:
		return "admin";
	}
	return "?";
}
