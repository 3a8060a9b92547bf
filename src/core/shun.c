/* SPDX-License-Identifier: ISC */
#include "core/shun.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "store/secret.h"

enum { PLACES = 32, SHUN_S = 30 };

static struct {
	pthread_mutex_t lock;
	struct {
		unsigned char name[32];
		int64_t until_ms;
	} places[PLACES];
} shunned = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void name_of(const char *url, const char *model, unsigned char name[32])
{
	struct secret_hash state;

	secret_hash_begin(&state);
	secret_hash_add(&state, model, strlen(model) + 1);
	secret_hash_add(&state, url, strlen(url));
	secret_hash_end(&state, name);
}

bool shun_is(const char *url, const char *model)
{
	int64_t now = clock_ms();
	unsigned char name[32];
	bool found = false;
	int i;

	name_of(url, model, name);
	pthread_mutex_lock(&shunned.lock);
	for (i = 0; i < PLACES; i++)
		found = found ||
			(shunned.places[i].until_ms > now && memcmp(shunned.places[i].name, name, sizeof(name)) == 0);
	pthread_mutex_unlock(&shunned.lock);
	return found;
}

void shun_add(const char *url, const char *model)
{
	unsigned char name[32];
	int oldest = 0, i;

	name_of(url, model, name);
	pthread_mutex_lock(&shunned.lock);
	for (i = 1; i < PLACES; i++)
		if (shunned.places[i].until_ms < shunned.places[oldest].until_ms)
			oldest = i;
	memcpy(shunned.places[oldest].name, name, sizeof(name));
	shunned.places[oldest].until_ms = clock_ms() + SHUN_S * 1000;
	pthread_mutex_unlock(&shunned.lock);
}
