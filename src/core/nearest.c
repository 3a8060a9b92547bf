/* SPDX-License-Identifier: ISC */
#include "core/nearest.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/db.h"

enum {
	/* whose codes are read at once: 1.5 MB at 768 dimensions; a multiple of the 256 of exedra.pack_codes() */
	BATCH_PASSAGES = 16384,
	SHORTLIST = 400,
	PASSAGES_A_PLACE = 1000, /* the more there are, the more are nearly as near */
	WEIGHED = 10, /* codes for each place on the shortlist; bench/retrieval finds no difference to all of them */
	MAX_DIMENSION = 65535,
};

struct search {
	struct task *task;
	struct arena *arena, *small;
	const struct scope *scope;
	const struct vector *question;
	const float *components;   /* of the question, zeros behind them */
	const struct part **parts; /* by version, then by number */
	size_t code_bytes;         /* of one */
	uint64_t *code;            /* of the question, in whole words */
	float (*sums)[256];        /* of its components that are ones in a byte, for each byte of a code */
	int *counts;               /* codes seen with each distance */
	int limit, within;         /* beyond this distance none is weighed any more; seen up to it */
	struct best shortlist;     /* by what codes weigh */
	bool without_pinned;
};

/* ---- codes ---- */

/* The first component is the highest bit of the first byte, as in PostgreSQL. */
static void make_code(struct search *search)
{
	const struct vector *v = search->question;
	unsigned char *bytes;
	int i;

	search->code_bytes = ((size_t)v->n + 7) / 8;
	search->code = arena_get(search->arena, search->code_bytes + sizeof(*search->code));
	bytes = (unsigned char *)search->code;
	for (i = 0; i < v->n; i++)
		if (v->at[i] > 0)
			bytes[i / 8] |= (unsigned char)(0x80 >> i % 8);
}

static void make_sums(struct search *search)
{
	const struct vector *v = search->question;
	int i, byte;

	search->sums = arena_get(search->arena, search->code_bytes * sizeof(*search->sums));
	for (i = 0; i < v->n; i++)
		for (byte = 0; byte < 256; byte++)
			if ((byte & 0x80 >> i % 8) != 0)
				search->sums[i / 8][byte] += v->at[i];
}

static inline __attribute__((always_inline)) unsigned count_bits(const uint64_t *a, const unsigned char *b, size_t len)
{
	unsigned n = 0;
	uint64_t word;

	for (; len >= sizeof(word); len -= sizeof(word), b += sizeof(word)) {
		memcpy(&word, b, sizeof(word));
		n += (unsigned)__builtin_popcountll(*a++ ^ word);
	}
	if (len > 0) {
		word = 0;
		memcpy(&word, b, len);
		n += (unsigned)__builtin_popcountll(*a ^ word);
	}
	return n;
}

static float weigh(const struct search *search, const unsigned char *code)
{
	float sum = 0;
	size_t i;

	for (i = 0; i < search->code_bytes; i++)
		sum += search->sums[i][code[i]];
	return sum;
}

/* One more code at this distance: is it among the nearest so far? */
static bool is_near(struct search *search, int distance)
{
	if (distance > search->limit)
		return false;
	search->counts[distance]++;
	search->within++;
	while (search->within - search->counts[search->limit] >= WEIGHED * search->shortlist.most)
		search->within -= search->counts[search->limit--];
	return true;
}

/* `n` codes, of the passages from this one on. */
static inline __attribute__((always_inline)) void look_at(
	struct search *search, const unsigned char *codes, int n, int passage)
{
	for (; n > 0; n--, passage++, codes += search->code_bytes)
		if (is_near(search, (int)count_bits(search->code, codes, search->code_bytes)))
			best_add(&search->shortlist, passage, weigh(search, codes));
}

/* Where the processor counts bits itself, that takes a third of the time. */
#ifdef __x86_64__
__attribute__((target("popcnt"))) static void look_fast(
	struct search *search, const unsigned char *codes, int n, int passage)
{
	look_at(search, codes, n, passage);
}
#endif

static void look(struct search *search, const unsigned char *codes, int n, int passage)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("popcnt")) {
		look_fast(search, codes, n, passage);
		return;
	}
#endif
	look_at(search, codes, n, passage);
}

static int by_version(const void *a, const void *b)
{
	const struct part *x = *(const struct part *const *)a, *y = *(const struct part *const *)b;

	if (x->version_id != y->version_id)
		return x->version_id < y->version_id ? -1 : 1;
	return x->no < y->no ? -1 : x->no > y->no;
}

static void sort_parts(struct search *search)
{
	int n = search->scope->n_parts, i;

	search->parts = arena_get(search->arena, (size_t)(n + 1) * sizeof(*search->parts));
	for (i = 0; i < n; i++)
		search->parts[i] = &search->scope->parts[i];
	qsort(search->parts, (size_t)n, sizeof(*search->parts), by_version);
}

/* Codes of a version whose parts begin at `part`; they are of the passages from number `no` on. */
static void take_codes(struct search *search, int part, int no, const unsigned char *codes, int n)
{
	int64_t version = search->parts[part]->version_id;

	for (; part < search->scope->n_parts && search->parts[part]->version_id == version; part++) {
		const struct part *p = search->parts[part];
		int from = p->no > no ? p->no : no, end = p->no + p->n < no + n ? p->no + p->n : no + n;

		if (from < end && !(search->without_pinned && p->pinned))
			look(search, codes + (size_t)(from - no) * search->code_bytes, end - from,
				p->base + from - p->no);
	}
}

static int get_4(PGresult *rows, int row, int column)
{
	uint32_t number;

	memcpy(&number, PQgetvalue(rows, row, column), sizeof(number));
	return (int)be32toh(number);
}

/* Passages of a version whose codes are read together: those from number `low` on, below `high`. */
struct stretch {
	int part; /* the version's first */
	int low, high;
};

static int read_codes(struct search *search, const struct stretch *stretches, int n)
{
	struct str *versions = str_new(search->small), *lows = str_new(search->small), *highs = str_new(search->small);
	const char *args[4] = {db_int_arg(search->small, search->question->embedder_id)};
	struct db_call call = {.stmt = &sql_embedding_code, .args = args, .n_args = 4, .binary = true};
	int i, result;

	for (i = 0; i < n; i++) {
		str_printf(versions, "%c%lld", i == 0 ? '{' : ',',
			(long long)search->parts[stretches[i].part]->version_id);
		str_printf(lows, "%c%d", i == 0 ? '{' : ',', stretches[i].low);
		str_printf(highs, "%c%d", i == 0 ? '{' : ',', stretches[i].high);
	}
	str_putc(versions, '}');
	str_putc(lows, '}');
	str_putc(highs, '}');
	args[1] = versions->at;
	args[2] = lows->at;
	args[3] = highs->at;
	result = db_run_in(search->small, search->task, &call, 1);
	for (i = 0; result == 0 && i < PQntuples(call.rows); i++)
		take_codes(search, stretches[get_4(call.rows, i, 0) - 1].part, get_4(call.rows, i, 1),
			(const unsigned char *)PQgetvalue(call.rows, i, 2),
			(int)((size_t)PQgetlength(call.rows, i, 2) / search->code_bytes));
	arena_empty(search->small);
	return result;
}

/* All versions, so many passages at a time that memory stays small. */
static int compare_all(struct search *search)
{
	int n_parts = search->scope->n_parts, part = 0, n = 0, passages = 0, result = 0, low;
	struct stretch *stretches = arena_get(search->arena, (size_t)(n_parts + 1) * sizeof(*stretches));

	while (part < n_parts && result == 0) {
		int first = part, end = 0;

		for (; part < n_parts && search->parts[part]->version_id == search->parts[first]->version_id; part++)
			end = search->parts[part]->no + search->parts[part]->n;
		for (low = 0; low < end && result == 0; low += BATCH_PASSAGES) {
			stretches[n++] = (struct stretch){first, low, low + BATCH_PASSAGES};
			passages += end - low < BATCH_PASSAGES ? end - low : BATCH_PASSAGES;
			if (passages < BATCH_PASSAGES)
				continue;
			result = read_codes(search, stretches, n);
			n = passages = 0;
		}
	}
	return result < 0 || n == 0 ? result : read_codes(search, stretches, n);
}

/* ---- the exact order ---- */

enum { LANES = 8 /* sums side by side, so that the compiler can use wide registers */ };

/* Components `from` on, as many as there are up to LANES; the rest is zero. */
static void read_lanes(const unsigned char *bytes, int from, int n, float lanes[LANES])
{
	uint32_t bits[LANES] = {0};
	int i;

	memcpy(bits, bytes + 4 * from, (size_t)(n - from < LANES ? n - from : LANES) * sizeof(*bits));
	for (i = 0; i < LANES; i++)
		bits[i] = le32toh(bits[i]);
	memcpy(lanes, bits, sizeof(bits));
}

static float dot(const struct search *search, const unsigned char *bytes)
{
	float sums[LANES] = {0}, lanes[LANES], sum = 0;
	int n = search->question->n, i, k;

	for (i = 0; i < n; i += LANES) {
		read_lanes(bytes, i, n, lanes);
		for (k = 0; k < LANES; k++)
			sums[k] += search->components[i + k] * lanes[k];
	}
	for (k = 0; k < LANES; k++)
		sum += sums[k];
	return sum;
}

static int read_vectors(struct search *search, const struct found *found, int n, PGresult **rows)
{
	struct str *versions = str_new(search->small), *nos = str_new(search->small);
	const char *args[3] = {db_int_arg(search->small, search->question->embedder_id)};
	struct db_call call = {.stmt = &sql_embedding_read, .args = args, .n_args = 3, .binary = true};
	int i;

	for (i = 0; i < n; i++) {
		const struct part *part = scope_part(search->scope, found[i].passage);

		str_printf(versions, "%c%lld", i == 0 ? '{' : ',', (long long)part->version_id);
		str_printf(nos, "%c%d", i == 0 ? '{' : ',', part->no + found[i].passage - part->base);
	}
	str_putc(versions, '}');
	str_putc(nos, '}');
	args[1] = versions->at;
	args[2] = nos->at;
	if (db_run_in(search->small, search->task, &call, 1) < 0)
		return -1;
	*rows = call.rows;
	return 0;
}

/* What has no vector any more falls out. */
static int rerank(struct search *search, struct best *nearest)
{
	const struct best *shortlist = &search->shortlist;
	PGresult *rows;
	int i;

	if (shortlist->n == 0)
		return 0;
	if (read_vectors(search, shortlist->at, shortlist->n, &rows) < 0)
		return -1;
	for (i = 0; i < PQntuples(rows); i++)
		if (PQgetlength(rows, i, 1) == 4 * search->question->n)
			best_add(nearest, shortlist->at[get_4(rows, i, 0) - 1].passage,
				dot(search, (const unsigned char *)PQgetvalue(rows, i, 1)));
	arena_empty(search->small);
	best_sort(nearest);
	return 0;
}

static const float *padded(struct arena *arena, const struct vector *question)
{
	float *components = arena_get(arena, (size_t)(question->n + LANES) * sizeof(*components));

	memcpy(components, question->at, (size_t)question->n * sizeof(*components));
	return components;
}

int nearest_find(struct task *task, struct arena *arena, const struct scope *scope, const struct vector *question,
	int least, bool without_pinned, struct found **out)
{
	int usual = SHORTLIST + scope->n_passages / PASSAGES_A_PLACE, shortlist = usual > least ? usual : least;
	struct search search = {.task = task,
		.arena = arena,
		.small = arena_within(arena),
		.scope = scope,
		.question = question,
		.limit = question->n,
		.shortlist = best_new(arena, scope, shortlist),
		.without_pinned = without_pinned};
	struct best nearest = best_new(arena, scope, shortlist);

	if (question->n <= 0 || question->n > MAX_DIMENSION)
		return 0;
	search.counts = arena_get(arena, (size_t)(question->n + 1) * sizeof(*search.counts));
	search.components = padded(arena, question);
	make_code(&search);
	make_sums(&search);
	sort_parts(&search);
	if (compare_all(&search) < 0 || rerank(&search, &nearest) < 0)
		return -1;
	*out = nearest.at;
	return nearest.n;
}
