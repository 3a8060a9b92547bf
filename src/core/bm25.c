/* SPDX-License-Identifier: ISC */
#include "core/bm25.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/postings.h"
#include "store/db.h"

enum {
	MOST_BUCKETS = 20000, /* read for a question: beyond, its shorter words are left out */
	LEAST_TERMS = 16,     /* that are never left out for that */
	MOST_TERMS = 1024,
	BATCH_BUCKETS = 2000, /* read at once: about 1 MB */
	STOP_LEAST = 20,      /* passages, from which on a word in more than half of them is a stop word */
};

static const double K1 = 1.2, B = 0.75;
/* What stands for half: nearly all of the first ten passages reach it on CISI (bench/retrieval). */
static const double HALF = 8;
/* How much of what stands in the passages before and behind counts: a cut goes through what belongs together. */
static const double BESIDE = 0.5;

/* A term at work: the passages in scope that have it. */
struct worker {
	const struct term *term;
	struct {
		int passage, times;
	} * at;
	size_t n, room;
	struct worker *next; /* in the same slot */
};

struct search {
	struct task *task;
	struct arena *arena, *small;
	const struct scope *scope;
	struct worker *workers;
	int n_workers;
	struct worker *slots[2 * MOST_TERMS]; /* by hash */
};

/* ---- which words ---- */

static int longer_first(const void *a, const void *b)
{
	const struct term *const *x = a, *const *y = b;

	if ((*x)->len != (*y)->len)
		return (*x)->len > (*y)->len ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

static int count_segments(const struct scope *scope)
{
	int i, n = 0;

	for (i = 0; i < scope->n_parts; i++)
		n += i == 0 || scope->parts[i].segment_id != scope->parts[i - 1].segment_id;
	return n;
}

/* Long words are rare ones more often than not; how rare would have to be read first. */
static void choose_terms(struct search *search)
{
	const struct scope *scope = search->scope;
	const struct term **terms = arena_get(search->arena, (size_t)(scope->n_terms + 1) * sizeof(*terms));
	int most = MOST_BUCKETS / (count_segments(scope) + 1), i;

	most = most < LEAST_TERMS ? LEAST_TERMS : most > MOST_TERMS ? MOST_TERMS : most;
	for (i = 0; i < scope->n_terms; i++)
		terms[i] = &scope->terms[i];
	if (scope->n_terms > most)
		qsort(terms, (size_t)scope->n_terms, sizeof(*terms), longer_first);
	search->n_workers = scope->n_terms < most ? scope->n_terms : most;
	search->workers = arena_get(search->arena, (size_t)(search->n_workers + 1) * sizeof(*search->workers));
	for (i = 0; i < search->n_workers; i++) {
		struct worker **slot = &search->slots[terms[i]->hash % (2 * MOST_TERMS)];

		search->workers[i].term = terms[i];
		search->workers[i].next = *slot;
		*slot = &search->workers[i];
	}
}

/* ---- their postings ---- */

struct wanted {
	int part; /* the first of the segment */
	uint32_t bucket;
};

static int compare_buckets(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The buckets that are of interest in the segment that begins with a part, each once. */
static int want_of(const struct search *search, int part, struct wanted *wanted)
{
	const struct part *p = &search->scope->parts[part];
	uint32_t buckets[MOST_TERMS];
	int n = 0, kept = 0, i;

	for (i = 0; i < search->n_workers; i++)
		if ((search->workers[i].term->languages & p->language) != 0)
			buckets[n++] = search->workers[i].term->hash & (p->n_buckets - 1);
	qsort(buckets, (size_t)n, sizeof(*buckets), compare_buckets);
	for (i = 0; i < n; i++)
		if (i == 0 || buckets[i] != buckets[i - 1])
			wanted[kept++] = (struct wanted){part, buckets[i]};
	return kept;
}

static void add_posting(struct search *search, struct worker *worker, int passage, unsigned times)
{
	if (worker->n == worker->room) {
		size_t room = worker->room == 0 ? 64 : 4 * worker->room;
		void *more = arena_get(search->arena, room * sizeof(*worker->at));

		if (worker->n > 0)
			memcpy(more, worker->at, worker->n * sizeof(*worker->at));
		worker->at = more;
		worker->room = room;
	}
	worker->at[worker->n].passage = passage;
	worker->at[worker->n++].times = (int)times;
}

/* Passages of a segment that belong to no part of the scope are somebody else's, or gone. */
static void add_postings(struct search *search, struct worker *worker, int part, struct posting_walk *walk)
{
	const struct part *p = &search->scope->parts[part], *end = search->scope->parts + search->scope->n_parts;
	int64_t segment = p->segment_id;
	unsigned passage, times;

	while (posting_next(walk, &passage, &times)) {
		while (p < end && p->segment_id == segment && (int)passage >= p->first + p->n)
			p++;
		if (p == end || p->segment_id != segment)
			return;
		if ((int)passage >= p->first)
			add_posting(search, worker, p->base + (int)passage - p->first, times);
	}
}

static void read_bucket(struct search *search, int part, const char *bytes, size_t len)
{
	struct bucket_walk bucket = bucket_walk(bytes, len);
	uint64_t language = search->scope->parts[part].language;
	struct posting_walk walk;
	const char *lexeme;
	size_t lexeme_len;

	while (bucket_next(&bucket, &lexeme, &lexeme_len, &walk)) {
		uint32_t hash = postings_hash(lexeme, lexeme_len);
		struct worker *worker = search->slots[hash % (2 * MOST_TERMS)];

		for (; worker != NULL; worker = worker->next)
			if (worker->term->hash == hash && worker->term->len == lexeme_len &&
				(worker->term->languages & language) != 0 &&
				memcmp(worker->term->lexeme, lexeme, lexeme_len) == 0)
				add_postings(search, worker, part, &walk);
	}
}

static int read_buckets(struct search *search, const struct wanted *wanted, int n)
{
	struct str *segments = str_new(search->small), *buckets = str_new(search->small);
	const char *args[2];
	struct db_call call = {.stmt = &sql_word_read, .args = args, .n_args = 2, .binary = true};
	int i;

	for (i = 0; i < n; i++) {
		str_printf(segments, "%c%lld", i == 0 ? '{' : ',',
			(long long)search->scope->parts[wanted[i].part].segment_id);
		str_printf(buckets, "%c%u", i == 0 ? '{' : ',', wanted[i].bucket);
	}
	str_putc(segments, '}');
	str_putc(buckets, '}');
	args[0] = segments->at;
	args[1] = buckets->at;
	if (db_run_in(search->small, search->task, &call, 1) < 0)
		return -1;
	if (PQntuples(call.rows) < n)
		return BM25_STALE;
	for (i = 0; i < n; i++) /* in their order: a word's passages have to ascend */
		read_bucket(search, wanted[i].part, PQgetvalue(call.rows, i, 0), (size_t)PQgetlength(call.rows, i, 0));
	return 0;
}

static int read_postings(struct search *search)
{
	const struct scope *scope = search->scope;
	struct wanted *wanted = arena_get(search->arena, (BATCH_BUCKETS + MOST_TERMS) * sizeof(*wanted));
	int n = 0, part, result = 0;

	for (part = 0; part < scope->n_parts && result == 0; part++) {
		if (part == 0 || scope->parts[part].segment_id != scope->parts[part - 1].segment_id)
			n += want_of(search, part, wanted + n);
		if (n > 0 && (n >= BATCH_BUCKETS || part == scope->n_parts - 1)) {
			result = read_buckets(search, wanted, n);
			arena_empty(search->small);
			n = 0;
		}
	}
	return result;
}

/* ---- scores ---- */

static int length_of(const struct part *part, int passage)
{
	const unsigned char *at = part->lengths + 2 * (passage - part->base);

	return passage < part->base || passage >= part->base + part->n ? 0 : at[0] << 8 | at[1];
}

/* What each passage's length, with what counts of those beside it, adds to how often a word stands there. */
static float *weigh_lengths(struct search *search)
{
	const struct scope *scope = search->scope;
	float *weights = arena_get(search->arena, (size_t)scope->n_passages * sizeof(*weights));
	double total = 0, mean;
	int i, k;

	for (i = 0; i < scope->n_parts; i++) {
		const struct part *p = &scope->parts[i];

		for (k = p->base; k < p->base + p->n; k++)
			total += weights[k] =
				(float)(length_of(p, k) + BESIDE * (length_of(p, k - 1) + length_of(p, k + 1)));
	}
	mean = total > scope->n_passages ? total / scope->n_passages : 1;
	for (i = 0; i < scope->n_passages; i++)
		weights[i] = (float)(K1 * (1 - B + B * weights[i] / mean));
	return weights;
}

/* How often a word stands in a passage and, by half, beside it; `near` is where in its list a neighbour is. */
static double times_around(const struct worker *w, size_t near, int passage, const struct part *part)
{
	double times = 0;
	size_t k;

	for (k = near < 2 ? 0 : near - 2; k < w->n && k <= near + 2; k++) {
		int away = w->at[k].passage - passage;

		if (away >= -1 && away <= 1 && w->at[k].passage >= part->base &&
			w->at[k].passage < part->base + part->n)
			times += (away == 0 ? 1 : BESIDE) * w->at[k].times;
	}
	return times;
}

struct scores {
	double *at;
	const float *weights;
	bool *own; /* has a word of the question itself */
};

static void add_term(const struct scope *scope, const struct worker *w, double idf, struct scores *scores)
{
	const struct part *part = scope->parts;
	int next = 0, passage; /* the first that has not been looked at */
	size_t k;

	for (k = 0; k < w->n; k++) {
		int here = w->at[k].passage;

		while (here >= part->base + part->n)
			part++;
		scores->own[here] = true;
		if (next < part->base)
			next = part->base;
		for (passage = next > here - 1 ? next : here - 1; passage <= here + 1 && passage < part->base + part->n;
			passage++) {
			double times = times_around(w, k, passage, part);

			scores->at[passage] += idf * times * (K1 + 1) / (times + scores->weights[passage]);
		}
		next = passage;
	}
}

static struct scores add_scores(struct search *search)
{
	const struct scope *scope = search->scope;
	size_t n = (size_t)scope->n_passages;
	struct scores scores = {.at = arena_get(search->arena, n * sizeof(*scores.at)),
		.weights = weigh_lengths(search),
		.own = arena_get(search->arena, n * sizeof(*scores.own))};
	int i;

	for (i = 0; i < search->n_workers; i++) {
		const struct worker *w = &search->workers[i];
		double all = scope->n_passages, have = (double)w->n;

		if ((w->term->languages & scope->simple) == 0 || all < STOP_LEAST || have <= all / 2)
			add_term(scope, w, log(1 + (all - have + 0.5) / (have + 0.5)), &scores);
	}
	return scores;
}

int bm25_find(struct task *task, struct arena *arena, const struct scope *scope, int most, bool without_pinned,
	struct found **out)
{
	struct search *search = arena_get(arena, sizeof(*search));
	struct best best = best_new(arena, scope, most);
	struct scores scores;
	int result, i, k;

	*search = (struct search){.task = task, .arena = arena, .small = arena_within(arena), .scope = scope};
	choose_terms(search);
	result = read_postings(search);
	if (result < 0)
		return result;
	scores = add_scores(search);
	for (i = 0; i < scope->n_parts; i++)
		for (k = scope->parts[i].base; k < scope->parts[i].base + scope->parts[i].n; k++)
			if (scores.own[k] && !(without_pinned && scope->parts[i].pinned))
				best_add(&best, k, scores.at[k]);
	best_sort(&best);
	*out = best.at;
	return best.n;
}

double bm25_norm(double score)
{
	return score / (score + HALF);
}
