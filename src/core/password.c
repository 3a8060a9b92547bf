/* SPDX-License-Identifier: ISC */
#include "core/password.h"

#include <pthread.h>
#include <stdatomic.h>

#include "store/secret.h"

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static atomic_int n_here; /* at work or waiting */
static int most_here = 1;

void password_limit(int most)
{
	most_here = most;
}

static int take_turn(struct task *task)
{
	if (atomic_fetch_add(&n_here, 1) < most_here) {
		pthread_mutex_lock(&turn);
		return 0;
	}
	atomic_fetch_sub(&n_here, 1);
	task->failure.retry_after_s = 1;
	return fail(task, 503, "busy", "Too many passwords are being checked at the moment.");
}

static void give_turn(void)
{
	pthread_mutex_unlock(&turn);
	atomic_fetch_sub(&n_here, 1);
}

int password_fits(struct task *task, const char *stored, const char *password)
{
	bool fits;

	if (take_turn(task) < 0)
		return -1;
	fits = secret_password_fits(stored, password);
	give_turn();
	return fits;
}

const char *password_hash(struct task *task, const char *password)
{
	char hash[PASSWORD_TEXT];
	bool made;

	if (take_turn(task) < 0)
		return NULL;
	made = secret_hash_password(hash, password) == 0;
	give_turn();
	if (!made)
		arena_exhausted(task->arena);
	return arena_strdup(task->arena, hash);
}
