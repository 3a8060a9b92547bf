/* SPDX-License-Identifier: ISC */
#include "store/used.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/db.h"
#include "store/secret.h"

enum { EVERY_S = 60, FIRST_PLACES = 64, MOST_PLACES = 1 << 16, BATCH = 1000 };

/* A hash table with open places; a hash of zeros only is an empty place, which no key ever has. */
struct table {
	unsigned char (*places)[32];
	size_t n_places, n;
};

static struct {
	pthread_mutex_t lock;
	struct table table;
	unsigned left_s;
} used = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_empty(const unsigned char hash[32])
{
	static const unsigned char none[32];

	return memcmp(hash, none, 32) == 0;
}

/* Where the hash stands, or is to stand.  The table is never full. */
static unsigned char *place_of(struct table *table, const unsigned char hash[32])
{
	size_t at;

	memcpy(&at, hash, sizeof(at));
	for (at %= table->n_places; !is_empty(table->places[at]) && memcmp(table->places[at], hash, 32) != 0;)
		at = (at + 1) % table->n_places;
	return table->places[at];
}

static bool grow(struct table *table)
{
	struct table wider = {.n_places = table->n_places == 0 ? FIRST_PLACES : 4 * table->n_places, .n = table->n};
	size_t i;

	if (wider.n_places > MOST_PLACES || (wider.places = calloc(wider.n_places, 32)) == NULL)
		return false;
	for (i = 0; i < table->n_places; i++)
		if (!is_empty(table->places[i]))
			memcpy(place_of(&wider, table->places[i]), table->places[i], 32);
	free(table->places);
	*table = wider;
	return true;
}

void used_note(const unsigned char hash[32])
{
	struct table *table = &used.table;
	unsigned char *place = NULL;

	pthread_mutex_lock(&used.lock);
	if (table->n_places > 0)
		place = place_of(table, hash);
	if (place == NULL || is_empty(place)) {
		if (2 * table->n < table->n_places || grow(table)) {
			memcpy(place_of(table, hash), hash, 32);
			table->n++;
		}
	}
	pthread_mutex_unlock(&used.lock);
}

static void write_batch(const struct table *table, size_t from, size_t to)
{
	struct task task = task_upkeep(5000);
	struct str *hashes;
	int length, n = 0;

	if (task.arena == NULL)
		return;
	hashes = db_pack(task.arena, DB_BYTEA);
	for (; from < to; from++)
		if (!is_empty(table->places[from])) {
			db_pack_item(hashes, (const char *)table->places[from], 32);
			n++;
		}
	length = (int)hashes->len;
	if (n > 0) {
		const char *args[] = {hashes->at};
		struct db_call call = {.stmt = &sql_key_note_uses, .args = args, .n_args = 1, .lengths = &length};

		db_run(&task, &call, 1); /* what is lost is noted again at the next use */
	}
	arena_free(task.arena);
}

void used_flush(void)
{
	struct table table;
	size_t from;

	pthread_mutex_lock(&used.lock);
	table = used.table;
	used.table = (struct table){0};
	pthread_mutex_unlock(&used.lock);
	for (from = 0; from < table.n_places; from += BATCH)
		write_batch(&table, from, from + BATCH < table.n_places ? from + BATCH : table.n_places);
	free(table.places);
}

void used_tick(void)
{
	/* Not all workers at once; the first time soon, so that an idle server's list is right. */
	if (used.left_s-- > 0)
		return;
	used_flush();
	used.left_s = EVERY_S - secret_below(EVERY_S / 4);
}
