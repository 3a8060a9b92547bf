/* SPDX-License-Identifier: ISC */
#include "base/tally.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/clock.h"

enum {
	N_SETS = 4096,
	N_WAYS = 8, /* a set is a line of the cache */
	MINUTE_MS = 60000,
	MOST = 0xffff,
};

/* A place is one word, so that no lock is needed: 32 bits of the name's hash, 16 of the minute, 16 of the number. */
static uint64_t (*sets)[N_WAYS]; /* NULL: nothing is counted */
static unsigned char key[crypto_shorthash_KEYBYTES];

int tally_open(void)
{
	void *shared = mmap(NULL, sizeof(*sets) * N_SETS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return -1;
	sets = shared;
	randombytes_buf(key, sizeof(key));
	return 0;
}

/* The places where a name may stand, and what its word begins with in this minute.  The hash is keyed: nobody can
 * choose names that fall together. */
static uint64_t *find_set(const char *name, size_t len, uint64_t *head)
{
	uint64_t hash, minute = (uint64_t)(clock_ms() / MINUTE_MS) & 0xffff;

	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)name, len, key);
	*head = hash >> 32 << 32 | minute << 16;
	return sets[hash % N_SETS];
}

static bool is_of(uint64_t word, uint64_t head)
{
	return (word & ~(uint64_t)MOST) == head;
}

/* Where the name stands, else the place that can be spared most: one of another minute, or with the smallest number. */
static int find_place(const uint64_t *set, uint64_t head, uint64_t *word)
{
	uint64_t least = UINT64_MAX;
	int i, place = 0;

	for (i = 0; i < N_WAYS; i++) {
		uint64_t found = __atomic_load_n(&set[i], __ATOMIC_RELAXED);
		uint64_t worth = (found & 0xffff0000) == (head & 0xffff0000) ? 1 + (found & MOST) : 0;

		if (is_of(found, head)) {
			*word = found;
			return i;
		}
		if (worth < least) {
			least = worth;
			*word = found;
			place = i;
		}
	}
	return place;
}

void tally_add(const char *name, size_t len)
{
	uint64_t head, word, *set, next;
	int place;

	if (sets == NULL)
		return;
	set = find_set(name, len, &head);
	do {
		place = find_place(set, head, &word);
		if (is_of(word, head) && (word & MOST) == MOST)
			return;
		next = is_of(word, head) ? word + 1 : head + 1;
	} while (!__atomic_compare_exchange_n(&set[place], &word, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

int tally_count(const char *name, size_t len)
{
	uint64_t head, word;
	const uint64_t *set;

	if (sets == NULL)
		return 0;
	set = find_set(name, len, &head);
	find_place(set, head, &word);
	return is_of(word, head) ? (int)(word & MOST) : 0;
}

int tally_left_s(void)
{
	return 1 + (int)((MINUTE_MS - 1 - clock_ms() % MINUTE_MS) / 1000);
}
