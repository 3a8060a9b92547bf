/* SPDX-License-Identifier: ISC */
#include "llm/slots.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "store/secret.h"

/* Providers are told apart by a hash of their address.  More of them than places share the last place. */
enum { PLACES = 256, NAME_BYTES = 32, LOOK_AGAIN_MS = 50 };

static struct {
	pthread_mutex_t lock;
	int most;
	struct {
		unsigned char name[NAME_BYTES];
		int taken;
	} places[PLACES];
} slots = {.lock = PTHREAD_MUTEX_INITIALIZER, .most = 1};

void slots_limit(int most)
{
	slots.most = most;
}

/* With the lock held: the provider's place, or a free one that becomes its own, or the last. */
static int place_of(const unsigned char name[NAME_BYTES])
{
	int i, unused = PLACES - 1;

	for (i = 0; i < PLACES - 1; i++) {
		if (slots.places[i].taken > 0 && memcmp(slots.places[i].name, name, NAME_BYTES) == 0)
			return i;
		if (slots.places[i].taken == 0 && unused == PLACES - 1)
			unused = i;
	}
	memcpy(slots.places[unused].name, name, NAME_BYTES);
	return unused;
}

/* The slot's number; -1 with a 503 in the task. */
static int take(struct task *task, const char *url)
{
	unsigned char name[NAME_BYTES];
	int place;

	secret_sha256(url, strlen(url), name);
	pthread_mutex_lock(&slots.lock);
	place = place_of(name);
	if (slots.places[place].taken < slots.most)
		slots.places[place].taken++;
	else
		place = -1;
	pthread_mutex_unlock(&slots.lock);
	if (place >= 0)
		return place;
	task->failure.retry_after_s = 1;
	return fail(task, 503, "provider_busy", "Too many calls to this model's provider are under way.");
}

static void give(void *slot)
{
	int place = (int)(intptr_t)slot;

	pthread_mutex_lock(&slots.lock);
	slots.places[place].taken--;
	pthread_mutex_unlock(&slots.lock);
}

int slots_hold(struct task *task, struct arena *arena, const char *url, int64_t until_ms)
{
	int place;

	while ((place = take(task, url)) < 0) {
		if (task_is_stopped(task) || clock_ms() >= until_ms)
			return -1;
		fail_clear(task);
		clock_pause_ms(LOOK_AGAIN_MS);
	}
	arena_later(arena, give, (void *)(intptr_t)place);
	return 0;
}
