/* SPDX-License-Identifier: ISC */
#include "core/settle.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/watch.h"
#include "store/db.h"

enum { MAX_BYTES = 64 << 20, MAX_ARGS = 14, ANSWER = 5, SOURCES = 6 }; /* places in sql/chat/close.sql */

struct outcome {
	struct outcome *next;
	size_t bytes;
	int n_args;
	char *args[MAX_ARGS];
};

struct doubt {
	struct doubt *next;
	int tries;
	bool known;
	char ticket[40];
};

static struct {
	pthread_mutex_t lock;
	struct doubt *doubts;
	struct outcome *first;
	size_t bytes;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void outcome_free(struct outcome *outcome)
{
	int i;

	for (i = 0; i < outcome->n_args; i++)
		free(outcome->args[i]);
	free(outcome);
}

static struct outcome *outcome_new(const char *const *args, int n_args, bool whole)
{
	struct outcome *outcome = calloc(1, sizeof(*outcome));
	int i;

	if (outcome == NULL)
		return NULL;
	outcome->n_args = n_args;
	for (i = 0; i < n_args; i++) {
		const char *arg = whole || (i != ANSWER && i != SOURCES) ? args[i] : i == SOURCES ? "[]" : NULL;

		if (arg == NULL)
			continue;
		outcome->args[i] = strdup(arg);
		if (outcome->args[i] == NULL) {
			outcome_free(outcome);
			return NULL;
		}
		outcome->bytes += strlen(arg);
	}
	return outcome;
}

bool settle_later(const char *const *args, int n_args)
{
	struct outcome *outcome = outcome_new(args, n_args, true);

	pthread_mutex_lock(&kept.lock);
	if (outcome != NULL && kept.bytes + outcome->bytes > MAX_BYTES) {
		outcome_free(outcome);
		outcome = outcome_new(args, n_args, false);
	}
	if (outcome != NULL) {
		outcome->next = kept.first;
		kept.first = outcome;
		kept.bytes += outcome->bytes;
	}
	pthread_mutex_unlock(&kept.lock);
	return outcome != NULL;
}

/* Does it stand in the database now, or can it never?  Then it is done with. */
static bool settled(const struct outcome *outcome)
{
	struct task task = task_upkeep(5000);
	bool done;

	if (task.arena == NULL)
		return false;
	done = db_rows(&task, &sql_chat_close, (const char *const *)outcome->args, outcome->n_args) != NULL ||
	       task.failure.status != 503;
	arena_free(task.arena);
	return done;
}

static void settle_again(struct doubt *doubt)
{
	pthread_mutex_lock(&kept.lock);
	doubt->next = kept.doubts;
	kept.doubts = doubt;
	pthread_mutex_unlock(&kept.lock);
}

static void end_doubt(void *thing)
{
	struct doubt *doubt = thing;

	if (doubt->known)
		free(doubt);
	else
		settle_again(doubt);
}

struct doubt *settle_unless_known(struct arena *arena, const char *ticket)
{
	/* of malloc, as it may outlive the arena */
	struct doubt *doubt = calloc(1, sizeof(*doubt));

	if (doubt == NULL)
		arena_exhausted(arena);
	snprintf(doubt->ticket, sizeof(doubt->ticket), "%s", ticket);
	arena_later(arena, end_doubt, doubt);
	return doubt;
}

void settle_known(struct doubt *doubt)
{
	doubt->known = true;
}

static void settle_doubts(void)
{
	struct doubt *doubt, *next;

	pthread_mutex_lock(&kept.lock);
	doubt = kept.doubts;
	kept.doubts = NULL;
	pthread_mutex_unlock(&kept.lock);
	for (; doubt != NULL; doubt = next) {
		next = doubt->next;
		/* Twice: the database may have been about to commit it. */
		if (watch_bury(doubt->ticket, NULL, NULL) < 0 || doubt->tries++ == 0)
			settle_again(doubt);
		else
			free(doubt);
	}
}

void settle_tick(void)
{
	settle_doubts();
	for (;;) {
		struct outcome *outcome;

		pthread_mutex_lock(&kept.lock);
		outcome = kept.first;
		if (outcome != NULL)
			kept.first = outcome->next;
		pthread_mutex_unlock(&kept.lock);
		if (outcome == NULL)
			return;
		if (!settled(outcome)) {
			pthread_mutex_lock(&kept.lock);
			outcome->next = kept.first;
			kept.first = outcome;
			pthread_mutex_unlock(&kept.lock);
			return;
		}
		pthread_mutex_lock(&kept.lock);
		kept.bytes -= outcome->bytes;
		pthread_mutex_unlock(&kept.lock);
		outcome_free(outcome);
	}
}
