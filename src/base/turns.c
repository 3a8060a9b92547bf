/* SPDX-License-Identifier: ISC */
#include "base/turns.h"

#include <poll.h>
#include <semaphore.h>

#include "base/clock.h"

enum { LOOK_MS = 500 }; /* between two looks whether it is still wanted */

/* One that waits. */
struct turn {
	struct turn *next;
	int64_t tenant_id, place;
	sem_t called;
	bool let_in; /* it is in the line no more */
};

/* With the lock held, as the next two. */
static void join(struct turns *turns, struct turn *turn)
{
	struct turn **at;

	turn->place = turns->front + 1;
	for (at = &turns->first; *at != NULL; at = &(*at)->next)
		if ((*at)->tenant_id == turn->tenant_id && (*at)->place >= turn->place)
			turn->place = (*at)->place + 1;
	*at = turn;
}

static void leave(struct turns *turns, struct turn *turn)
{
	struct turn **at;

	for (at = &turns->first; *at != turn; at = &(*at)->next)
		;
	*at = turn->next;
}

/* Whose turn it is: of those with the same place, who has waited longest. */
static struct turn *next_of(const struct turns *turns)
{
	struct turn *best = turns->first, *other;

	for (other = best; other != NULL; other = other->next)
		if (other->place < best->place)
			best = other;
	return best;
}

static bool is_wanted(const struct task *task)
{
	struct pollfd client = {.fd = task->gone_fd, .events = POLLRDHUP};

	return !task_is_stopped(task) && (task->gone_fd < 0 || poll(&client, 1, 0) <= 0 ||
						 (client.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0);
}

static bool wait_in_line(struct turn *turn, const struct task *task, int64_t deadline_ms)
{
	int64_t until_ms;

	do {
		until_ms = clock_ms() + LOOK_MS < deadline_ms ? clock_ms() + LOOK_MS : deadline_ms;
		if (clock_wait(&turn->called, until_ms))
			return true;
	} while (clock_ms() < deadline_ms && is_wanted(task));
	return false;
}

bool turns_take(struct turns *turns, const struct task *task, int64_t deadline_ms)
{
	struct turn self = {.tenant_id = task->identity.tenant_id};
	bool called;

	pthread_mutex_lock(&turns->lock);
	if (turns->left > 0) { /* nobody waits then */
		turns->left--;
		pthread_mutex_unlock(&turns->lock);
		return true;
	}
	sem_init(&self.called, 0, 0);
	join(turns, &self);
	pthread_mutex_unlock(&turns->lock);
	called = wait_in_line(&self, task, deadline_ms);
	/* Who is just being let in has the place, wanted or not; and the other must be done with the semaphore. */
	pthread_mutex_lock(&turns->lock);
	if (!self.let_in)
		leave(turns, &self);
	pthread_mutex_unlock(&turns->lock);
	return called || self.let_in;
}

void turns_give(struct turns *turns)
{
	struct turn *next;

	pthread_mutex_lock(&turns->lock);
	next = next_of(turns);
	if (next == NULL) {
		turns->left++;
	} else {
		leave(turns, next);
		turns->front = next->place;
		next->let_in = true;
		sem_post(&next->called);
	}
	pthread_mutex_unlock(&turns->lock);
}
