/* SPDX-License-Identifier: ISC */
#include "core/postings.h"

#include <string.h>

#include "base/str.h"

enum {
	BUCKET_BYTES = 512, /* wanted on average: a search reads one for each word and segment */
	MAX_BUCKETS = 65536,
	FIRST_SLOTS = 1024, /* a power of two */
};

struct lexeme {
	const char *at;
	uint32_t len, hash;
	uint32_t n; /* passages that have it */
};

struct occurrence {
	uint32_t lexeme;
	uint16_t passage, times;
};

struct postings {
	struct arena *arena;
	struct lexeme *lexemes;
	struct occurrence *occurrences;
	uint32_t *slots; /* of the hash table: number of a lexeme + 1, or 0 */
	uint32_t n_lexemes, n_slots;
	size_t n_occurrences, room;
};

uint32_t postings_hash(const char *lexeme, size_t len)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)lexeme[i]) * 16777619u;
	return hash;
}

/* ---- gathering ---- */

struct postings *postings_new(struct arena *arena)
{
	struct postings *p = arena_get(arena, sizeof(*p));

	*p = (struct postings){.arena = arena, .n_slots = FIRST_SLOTS, .room = 2 * FIRST_SLOTS};
	p->slots = arena_get(arena, p->n_slots * sizeof(*p->slots));
	p->lexemes = arena_get(arena, p->n_slots / 2 * sizeof(*p->lexemes));
	p->occurrences = arena_get(arena, p->room * sizeof(*p->occurrences));
	return p;
}

static void *grown(struct arena *arena, const void *old, size_t bytes)
{
	void *new = arena_get(arena, 2 * bytes);

	memcpy(new, old, bytes);
	return new;
}

/* The slot of a lexeme, or where it belongs. */
static uint32_t *find_slot(struct postings *p, uint32_t hash, const char *lexeme, size_t len)
{
	uint32_t i = hash;

	for (;; i++) {
		uint32_t *slot = &p->slots[i & (p->n_slots - 1)];
		const struct lexeme *l;

		if (*slot == 0)
			return slot;
		l = &p->lexemes[*slot - 1];
		if (l->hash == hash && l->len == len && memcmp(l->at, lexeme, len) == 0)
			return slot;
	}
}

/* The table is at most half full. */
static void make_room(struct postings *p)
{
	uint32_t i;

	p->lexemes = grown(p->arena, p->lexemes, p->n_lexemes * sizeof(*p->lexemes));
	p->n_slots *= 2;
	p->slots = arena_get(p->arena, p->n_slots * sizeof(*p->slots));
	for (i = 0; i < p->n_lexemes; i++)
		*find_slot(p, p->lexemes[i].hash, p->lexemes[i].at, p->lexemes[i].len) = i + 1;
}

static uint32_t number_of(struct postings *p, const char *lexeme, size_t len)
{
	uint32_t hash = postings_hash(lexeme, len), *slot = find_slot(p, hash, lexeme, len);

	if (*slot > 0)
		return *slot - 1;
	if (p->n_lexemes == p->n_slots / 2) {
		make_room(p);
		slot = find_slot(p, hash, lexeme, len);
	}
	p->lexemes[p->n_lexemes] =
		(struct lexeme){.at = arena_copy(p->arena, lexeme, len), .len = (uint32_t)len, .hash = hash};
	*slot = ++p->n_lexemes;
	return *slot - 1;
}

void postings_add(struct postings *p, const char *lexeme, size_t len, unsigned passage, unsigned times)
{
	uint32_t number = number_of(p, lexeme, len);

	if (p->n_occurrences == p->room) {
		p->occurrences = grown(p->arena, p->occurrences, p->room * sizeof(*p->occurrences));
		p->room *= 2;
	}
	p->occurrences[p->n_occurrences++] = (struct occurrence){
		number, (uint16_t)passage, (uint16_t)(times > POSTINGS_MAX_TIMES ? POSTINGS_MAX_TIMES : times)};
	p->lexemes[number].n++;
}

static unsigned read_2(const unsigned char *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

int postings_add_tsvector(struct postings *p, unsigned passage, const char *bytes, size_t len)
{
	const unsigned char *at = (const unsigned char *)bytes + 4, *end = (const unsigned char *)bytes + len;
	unsigned words = 0;
	uint32_t n, i;

	if (len < 4)
		return -1;
	n = read_2(at - 4) << 16 | read_2(at - 2);
	for (i = 0; i < n; i++) {
		const unsigned char *nul = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
		unsigned positions;

		if (nul == NULL || end - nul < 3)
			return -1;
		positions = read_2(nul + 1);
		if ((end - nul - 3) / 2 < positions)
			return -1;
		postings_add(p, (const char *)at, (size_t)(nul - at), passage, positions == 0 ? 1 : positions);
		words += positions == 0 ? 1 : positions;
		at = nul + 3 + 2 * positions;
	}
	return words > POSTINGS_MAX_TIMES ? POSTINGS_MAX_TIMES : (int)words;
}

void postings_add_bucket(struct postings *p, const char *bytes, size_t len, const int *renumber, unsigned n)
{
	struct bucket_walk bucket = bucket_walk(bytes, len);
	struct posting_walk walk;
	unsigned passage, times;
	const char *lexeme;
	size_t lexeme_len;

	while (bucket_next(&bucket, &lexeme, &lexeme_len, &walk))
		while (posting_next(&walk, &passage, &times))
			if (passage < n && renumber[passage] >= 0)
				postings_add(p, lexeme, lexeme_len, (unsigned)renumber[passage], times);
}

/* ---- packing ---- */

static void put_number(struct str *out, uint32_t number)
{
	while (number > 0x7f) {
		str_putc(out, (char)(number | 0x80));
		number >>= 7;
	}
	str_putc(out, (char)number);
}

/* Occurrences by lexeme, in the order in which they came: first[i] is where those of lexeme i begin. */
static struct occurrence *by_lexeme(const struct postings *p, uint32_t **first)
{
	struct occurrence *sorted = arena_get(p->arena, (p->n_occurrences + 1) * sizeof(*sorted));
	uint32_t *next = arena_get(p->arena, (p->n_lexemes + 1) * sizeof(*next)), i, at = 0;
	size_t k;

	*first = arena_get(p->arena, (p->n_lexemes + 1) * sizeof(**first));
	for (i = 0; i < p->n_lexemes; i++) {
		(*first)[i] = next[i] = at;
		at += p->lexemes[i].n;
	}
	for (k = 0; k < p->n_occurrences; k++)
		sorted[next[p->occurrences[k].lexeme]++] = p->occurrences[k];
	return sorted;
}

static void pack_lexeme(struct str *out, struct str *packed, const struct lexeme *lexeme, const struct occurrence *o)
{
	uint32_t i, next = 0;

	str_clear(packed);
	for (i = 0; i < lexeme->n; i++) {
		uint32_t times = o[i].times < 4 ? o[i].times - 1u : 3;

		put_number(packed, (o[i].passage - next) << 2 | times);
		if (times == 3)
			put_number(packed, o[i].times - 4u);
		next = o[i].passage + 1u;
	}
	put_number(out, lexeme->len);
	str_add(out, lexeme->at, lexeme->len);
	put_number(out, (uint32_t)packed->len);
	str_add(out, packed->at, packed->len);
}

static uint32_t choose_buckets(const struct postings *p)
{
	size_t bytes = p->n_occurrences + p->n_occurrences / 2;
	uint32_t n = 1, i;

	for (i = 0; i < p->n_lexemes; i++)
		bytes += p->lexemes[i].len + 2;
	while (n < MAX_BUCKETS && bytes / n > BUCKET_BYTES)
		n *= 2;
	return n;
}

/* Lexemes of a bucket as a list: heads[b] is the first, links[i] the one behind i; each + 1, 0 ends. */
static uint32_t *sort_into(const struct postings *p, uint32_t n_buckets, uint32_t *heads)
{
	uint32_t *links = arena_get(p->arena, (p->n_lexemes + 1) * sizeof(*links)), i;

	for (i = p->n_lexemes; i-- > 0;) {
		uint32_t *head = &heads[p->lexemes[i].hash & (n_buckets - 1)];

		links[i] = *head;
		*head = i + 1;
	}
	return links;
}

int postings_pack(struct postings *p, struct bucket **buckets)
{
	uint32_t n = choose_buckets(p), *first, *heads = arena_get(p->arena, n * sizeof(*heads));
	uint32_t *links = sort_into(p, n, heads), b, i;
	const struct occurrence *sorted = by_lexeme(p, &first);
	struct str *packed = str_new(p->arena), *out = str_new(p->arena);

	*buckets = arena_get(p->arena, n * sizeof(**buckets));
	for (b = 0; b < n; b++) {
		size_t from = out->len;

		for (i = heads[b]; i > 0; i = links[i - 1])
			pack_lexeme(out, packed, &p->lexemes[i - 1], sorted + first[i - 1]);
		(*buckets)[b].len = out->len - from;
	}
	for (b = 0, i = 0; b < n; i += (uint32_t)(*buckets)[b++].len)
		(*buckets)[b].at = out->at + i;
	return (int)n;
}

/* ---- reading ---- */

/* At the end of the bytes, or beyond what a number may be, it is 0 and the walk has ended. */
static uint32_t get_number(const unsigned char **at, const unsigned char *end)
{
	uint32_t number = 0;
	int shift;

	for (shift = 0; *at < end && shift < 35; shift += 7) {
		unsigned char byte = *(*at)++;

		number |= (uint32_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	*at = end;
	return 0;
}

struct bucket_walk bucket_walk(const char *bytes, size_t len)
{
	const unsigned char *at = (const unsigned char *)bytes;

	return (struct bucket_walk){at, at + len};
}

/* So many bytes, or NULL when there are less. */
static const unsigned char *take(struct bucket_walk *walk, size_t *len)
{
	const unsigned char *at;

	*len = get_number(&walk->at, walk->end);
	at = walk->at;
	if ((size_t)(walk->end - at) < *len)
		return NULL;
	walk->at += *len;
	return at;
}

bool bucket_next(struct bucket_walk *walk, const char **lexeme, size_t *len, struct posting_walk *postings)
{
	const unsigned char *at;
	size_t bytes;

	if (walk->at == walk->end || (*lexeme = (const char *)take(walk, len)) == NULL || walk->at == walk->end ||
		(at = take(walk, &bytes)) == NULL)
		return false;
	*postings = (struct posting_walk){at, at + bytes, 0};
	return true;
}

bool posting_next(struct posting_walk *walk, unsigned *passage, unsigned *times)
{
	uint32_t number;

	if (walk->at == walk->end)
		return false;
	number = get_number(&walk->at, walk->end);
	*passage = walk->next + (number >> 2);
	*times = (number & 3) + 1;
	if (*times == 4)
		*times += get_number(&walk->at, walk->end);
	walk->next = *passage + 1;
	return *passage < POSTINGS_MAX_PASSAGES;
}
