/* SPDX-License-Identifier: ISC */
#include "core/segment.h"

#include <string.h>

#include "base/str.h"
#include "core/postings.h"
#include "store/db.h"

enum {
	MOST_PASSAGES = 1000, /* of a segment that is written */
	MERGE_TRIES = 3,      /* when segments go while they are merged */
};

struct segment_writer {
	struct task *task;
	const char *version, *language;
	struct arena *arena; /* of the segment that is being gathered */
	struct postings *postings;
	unsigned char lengths[2 * MOST_PASSAGES];
	int no; /* of its first passage */
	int n;
};

/* All that was gathered, as a bytea[] in binary. */
static const struct str *pack_array(struct arena *arena, struct postings *postings)
{
	struct str *array = db_pack(arena, DB_BYTEA);
	struct bucket *buckets;
	int n = postings_pack(postings, &buckets), i;

	for (i = 0; i < n; i++)
		db_pack_item(array, buckets[i].at, buckets[i].len);
	return array;
}

/* ---- as a version is written ---- */

struct segment_writer *segment_begin(struct task *task, const char *version, const char *language)
{
	struct segment_writer *writer = arena_get(task->arena, sizeof(*writer));

	*writer = (struct segment_writer){
		.task = task, .version = version, .language = language, .arena = arena_within(task->arena)};
	return writer;
}

int segment_end(struct segment_writer *writer)
{
	struct arena *arena = writer->arena;
	const struct str *packed;
	const char *args[5] = {
		writer->version, db_int_arg(arena, writer->no), writer->language, (const char *)writer->lengths};
	int lengths[5] = {0, 0, 0, 2 * writer->n}, result;
	struct db_call call = {.stmt = &sql_segment_write, .args = args, .n_args = 5, .lengths = lengths};

	if (writer->n == 0)
		return 0;
	packed = pack_array(arena, writer->postings);
	args[4] = packed->at;
	lengths[4] = (int)packed->len;
	result = db_run_in(arena, writer->task, &call, 1);
	writer->no += writer->n;
	writer->n = 0;
	arena_empty(arena);
	return result;
}

int segment_add(struct segment_writer *writer, PGresult *words)
{
	int n = PQntuples(words), i, length;

	for (i = 0; i < n; i++) {
		if (writer->n == 0)
			writer->postings = postings_new(writer->arena);
		length = postings_add_tsvector(writer->postings, (unsigned)writer->n, PQgetvalue(words, i, 0),
			(size_t)PQgetlength(words, i, 0));
		if (length < 0)
			return fail(writer->task, 500, "words_unreadable", "The words of a passage could not be read.");
		writer->lengths[2 * writer->n] = (unsigned char)(length >> 8);
		writer->lengths[2 * writer->n + 1] = (unsigned char)length;
		if (++writer->n == MOST_PASSAGES && segment_end(writer) < 0)
			return -1;
	}
	return 0;
}

/* ---- merging ---- */

/* Segments on their way into one. */
struct merging {
	struct task *task;
	struct arena *arena;
	struct postings *postings;
	PGresult *parts; /* rows of sql_segment_merge */
	int *firsts;     /* where each part begins in the new segment */
	int n_passages;  /* of the new segment */
	int n_old, old_passages;
	const char **old;
};

static int passages_of(const struct merging *m, int part)
{
	/* \x and two digits a byte, two bytes a passage */
	return (int)(strlen(db_text(m->parts, part, "lengths")) - 2) / 4;
}

/* Take over the words of one segment, whose parts begin at row `from`.  Returns the row behind them, or -1. */
static int take_segment(struct merging *m, struct arena *small, int from)
{
	const char *segment = db_text(m->parts, from, "segment_id");
	struct db_call call = {.stmt = &sql_word_all, .args = &segment, .n_args = 1, .binary = true};
	int *renumber, n = (int)db_int(m->parts, from, "n_chunks"), part, i;

	renumber = arena_get(small, (size_t)n * sizeof(*renumber));
	memset(renumber, -1, (size_t)n * sizeof(*renumber));
	for (part = from; part < PQntuples(m->parts) && strcmp(db_text(m->parts, part, "segment_id"), segment) == 0;
		part++) {
		int first = (int)db_int(m->parts, part, "first"), many = passages_of(m, part);

		m->firsts[part] = m->n_passages;
		for (i = 0; i < many && first + i < n; i++)
			renumber[first + i] = m->n_passages + i;
		m->n_passages += many;
	}
	if (db_run_in(small, m->task, &call, 1) < 0)
		return -1;
	for (i = 0; i < PQntuples(call.rows); i++)
		postings_add_bucket(m->postings, PQgetvalue(call.rows, i, 0), (size_t)PQgetlength(call.rows, i, 0),
			renumber, (unsigned)n);
	m->old[m->n_old++] = segment;
	m->old_passages += n;
	return part;
}

static const char *column_array(struct merging *m, const char *column)
{
	int n = PQntuples(m->parts), i;
	const char **items = arena_get(m->arena, (size_t)n * sizeof(*items));

	for (i = 0; i < n; i++)
		items[i] = db_text(m->parts, i, column);
	return db_array(m->arena, items, (size_t)n);
}

static const char *firsts_array(struct merging *m)
{
	int n = PQntuples(m->parts), i;
	const char **items = arena_get(m->arena, (size_t)n * sizeof(*items));

	for (i = 0; i < n; i++)
		items[i] = db_int_arg(m->arena, m->firsts[i]);
	return db_array(m->arena, items, (size_t)n);
}

/* 1 when the new segment stands in the place of the old ones, 0 when some of these have gone meanwhile. */
static int put_in_place(struct merging *m)
{
	const struct str *packed = pack_array(m->arena, m->postings);
	const char *args[] = {db_array(m->arena, m->old, (size_t)m->n_old), db_text(m->parts, 0, "language"),
		db_int_arg(m->arena, m->n_passages), packed->at, column_array(m, "version_id"), column_array(m, "no"),
		firsts_array(m)};
	const int lengths[] = {0, 0, 0, (int)packed->len, 0, 0, 0};
	struct db_call call = {.stmt = &sql_segment_replace, .args = args, .n_args = 7, .lengths = lengths};

	if (db_run_in(m->arena, m->task, &call, 1) < 0)
		return -1;
	return db_true(call.rows, 0, "done");
}

/* 1 when that is done, or there is nothing to be done. */
static int merge(struct merging *m, const char *segment)
{
	struct arena *small = arena_within(m->arena);
	int part = 0, n;

	m->parts = db_rows_in(m->arena, m->task, &sql_segment_merge, ARGS(segment));
	n = m->parts == NULL ? -1 : PQntuples(m->parts);
	if (n <= 0)
		return n < 0 ? -1 : 1;
	m->postings = postings_new(m->arena);
	m->firsts = arena_get(m->arena, (size_t)n * sizeof(*m->firsts));
	m->old = arena_get(m->arena, (size_t)n * sizeof(*m->old));
	while (part < n) {
		part = take_segment(m, small, part);
		arena_empty(small);
		if (part < 0 || fail_if_stopped(m->task) < 0)
			return -1;
	}
	/* alone, and nothing of it is gone */
	if (m->n_old == 1 && m->old_passages == m->n_passages)
		return 1;
	return put_in_place(m);
}

int segment_merge(struct task *task, const struct config *config, const char *segment)
{
	struct arena *arena = arena_within(task->arena);
	int tries, done = 0;

	(void)config;
	task->bulk = true;
	for (tries = 0; tries < MERGE_TRIES && done == 0; tries++) {
		struct merging merging = {.task = task, .arena = arena};

		done = merge(&merging, segment);
		arena_empty(arena);
	}
	task->bulk = false;
	return done < 0 ? -1 : 0;
}

void segment_merge_failed(struct task *task, const struct config *config, const char *segment, const char *reason)
{
	/* Searches find all the same, only a little slower; the next small document asks for it again. */
	(void)task;
	(void)config;
	(void)segment;
	(void)reason;
}
