/* SPDX-License-Identifier: ISC */
#include "core/scope.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "core/postings.h"
#include "core/retrieve.h"
#include "core/words.h"
#include "store/db.h"

/* The columns of sql_segment_find. */
enum { DOCUMENT, PINNED, VERSION, NO, SEGMENT, FIRST, N_BUCKETS, LANGUAGE, LENGTHS, LEXEME };

struct languages {
	const char *names[SCOPE_MAX_LANGUAGES];
	int n;
};

static int64_t get_8(PGresult *rows, int row, int column)
{
	uint64_t number;

	memcpy(&number, PQgetvalue(rows, row, column), sizeof(number));
	return (int64_t)be64toh(number);
}

static int get_4(PGresult *rows, int row, int column)
{
	uint32_t number;

	memcpy(&number, PQgetvalue(rows, row, column), sizeof(number));
	return (int)be32toh(number);
}

/* The bit of a language; 0 for one too many, which is not searched by words. */
static uint64_t bit_of(struct languages *languages, const char *name)
{
	int i;

	for (i = 0; i < languages->n; i++)
		if (strcmp(languages->names[i], name) == 0)
			return UINT64_C(1) << i;
	if (i == SCOPE_MAX_LANGUAGES)
		return 0;
	languages->names[languages->n++] = name;
	return UINT64_C(1) << i;
}

static struct part read_part(PGresult *rows, int row, struct languages *languages)
{
	return (struct part){.document_id = get_8(rows, row, DOCUMENT),
		.version_id = get_8(rows, row, VERSION),
		.segment_id = get_8(rows, row, SEGMENT),
		.no = get_4(rows, row, NO),
		.first = get_4(rows, row, FIRST),
		.n = PQgetlength(rows, row, LENGTHS) / 2,
		.n_buckets = (uint32_t)get_4(rows, row, N_BUCKETS),
		.language = bit_of(languages, PQgetvalue(rows, row, LANGUAGE)),
		.pinned = *PQgetvalue(rows, row, PINNED) != 0,
		.lengths = (const unsigned char *)PQgetvalue(rows, row, LENGTHS)};
}

static struct term read_term(PGresult *rows, int row, struct languages *languages)
{
	const char *lexeme = PQgetvalue(rows, row, LEXEME);
	size_t len = (size_t)PQgetlength(rows, row, LEXEME);

	return (struct term){
		lexeme, len, postings_hash(lexeme, len), bit_of(languages, PQgetvalue(rows, row, LANGUAGE))};
}

static int compare_ids(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	int order = compare_ids(x->segment_id, y->segment_id);

	if (order == 0)
		order = compare_ids(x->first, y->first);
	return order != 0 ? order : compare_ids(x->document_id, y->document_id);
}

/* In order, and those of a version that several documents show once, for the oldest of these. */
static void settle_parts(struct scope *scope)
{
	int i, n = 0;

	qsort(scope->parts, (size_t)scope->n_parts, sizeof(*scope->parts), compare_parts);
	for (i = 0; i < scope->n_parts; i++) {
		struct part *part = &scope->parts[i], *last = n == 0 ? NULL : &scope->parts[n - 1];

		if (last != NULL && last->segment_id == part->segment_id && last->first == part->first) {
			last->pinned = last->pinned || part->pinned;
			continue;
		}
		scope->parts[n] = *part;
		scope->parts[n++].base = scope->n_passages;
		scope->n_passages += part->n;
	}
	scope->n_parts = n;
}

static int compare_terms(const void *a, const void *b)
{
	return strcmp(((const struct term *)a)->lexeme, ((const struct term *)b)->lexeme);
}

/* In order, and those of several languages once. */
static void settle_terms(struct scope *scope)
{
	int i, n = 0;

	qsort(scope->terms, (size_t)scope->n_terms, sizeof(*scope->terms), compare_terms);
	for (i = 0; i < scope->n_terms; i++) {
		if (n > 0 && strcmp(scope->terms[n - 1].lexeme, scope->terms[i].lexeme) == 0)
			scope->terms[n - 1].languages |= scope->terms[i].languages;
		else
			scope->terms[n++] = scope->terms[i];
	}
	scope->n_terms = n;
}

int scope_read(struct task *task, struct arena *arena, const struct retrieve_scope *wanted, const char *question,
	struct scope *scope)
{
	struct str *prepared = str_new(arena);
	const char *args[] = {wanted->workspaces, wanted->files, NULL};
	struct db_call call = {.stmt = &sql_segment_find, .args = args, .n_args = 3, .binary = true};
	struct languages languages = {.n = 0};
	int n, i;

	words_prepare(prepared, question, strlen(question));
	args[2] = prepared->at;
	if (db_run_in(arena, task, &call, 1) < 0)
		return -1;
	n = PQntuples(call.rows);
	*scope = (struct scope){.parts = arena_get(arena, (size_t)(n + 1) * sizeof(struct part)),
		.terms = arena_get(arena, (size_t)(n + 1) * sizeof(struct term))};
	for (i = 0; i < n; i++)
		if (PQgetisnull(call.rows, i, DOCUMENT))
			scope->terms[scope->n_terms++] = read_term(call.rows, i, &languages);
		else
			scope->parts[scope->n_parts++] = read_part(call.rows, i, &languages);
	settle_parts(scope);
	settle_terms(scope);
	for (i = 0; i < languages.n; i++)
		if (strcmp(languages.names[i], "simple") == 0)
			scope->simple = UINT64_C(1) << i;
	return 0;
}

const struct part *scope_part(const struct scope *scope, int passage)
{
	int low = 0, high = scope->n_parts - 1;

	while (low < high) {
		int middle = (low + high + 1) / 2;

		if (scope->parts[middle].base <= passage)
			low = middle;
		else
			high = middle - 1;
	}
	return &scope->parts[low];
}

int scope_compare(const struct scope *scope, int a, int b)
{
	const struct part *x = scope_part(scope, a), *y = scope_part(scope, b);
	int order = compare_ids(x->version_id, y->version_id);

	return order != 0 ? order : compare_ids(x->no + a - x->base, y->no + b - y->base);
}
