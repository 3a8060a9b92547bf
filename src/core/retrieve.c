/* SPDX-License-Identifier: ISC */
#include "core/retrieve.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "core/bm25.h"
#include "core/embed.h"
#include "core/nearest.h"
#include "core/offer.h"
#include "core/rerank.h"
#include "store/db.h"

enum {
	QUESTION_BYTES = 16384, /* whose words are looked for */
	LIST = 200,             /* how long each list is that is fused */
	RRF_K = 60,             /* Cormack, Clarke and Buettcher 2009 */
	MAX_READS = 5,          /* of a scope whose segments are being merged */
};

/* A passage as the two lists have it. */
struct hit {
	int passage;
	double rank;   /* what it is ordered by */
	double score;  /* 0 .. 1, for clients */
	double cosine; /* with a vector */
	bool vector;
};

struct retrieval {
	struct task *task;
	struct arena *arena; /* until the passages are shown */
	const struct config *config;
	const struct retrieve_scope *wanted;
	const struct retrieve_wishes *wishes;
	const char *question; /* cut */
	struct scope scope;
	struct vector vector;
	struct service_setup ranker; /* url NULL: nobody ranks */
};

static int list_length(const struct retrieval *r)
{
	return r->wishes->top_n > LIST ? r->wishes->top_n : LIST;
}

/* ---- the two lists ---- */

static int read_scope(struct retrieval *r)
{
	arena_empty(r->arena);
	return scope_read(r->task, r->arena, r->wanted, r->question, &r->scope);
}

static void find_ranker(struct retrieval *r, PGresult *rows, const struct own_service *own)
{
	if (rows == NULL || offer_read(r->task, rows, own, &r->ranker) >= 0)
		return;
	log_event(LOG_WARNING, r->task, "rerank_failed", "provider=%s code=%s", db_text(rows, 0, "provider"),
		r->task->failure.code);
	fail_clear(r->task);
	r->ranker.url = NULL;
}

/* Once, for a question whose scope holds anything: an embedder takes its time and its price. */
static int make_vector(struct retrieval *r, const char *text)
{
	const char *ids = r->wanted->workspaces;
	struct own_service own = offer_own_ranking(r->config);
	const char *args[] = {ids, own.provider, own.model};
	struct db_call ranking = {.stmt = &sql_service_ranking, .args = args, .n_args = 3};
	struct embed_question question = {.workspaces = ids,
		.files = r->wanted->files,
		.text = text,
		.asked = r->wishes->asked,
		.along = ids[1] == '}' ? NULL : &ranking};

	if (embed_question(r->task, r->config, &question, &r->vector) < 0)
		return -1;
	find_ranker(r, ranking.rows, &own);
	return 0;
}

/* How many; -1; or BM25_STALE. */
static int find_by_words(struct retrieval *r, struct found **found)
{
	return bm25_find(r->task, r->arena, &r->scope, list_length(r), r->wishes->without_pinned, found);
}

/* Those that reach the threshold. */
static int find_by_vector(struct retrieval *r, struct found **found)
{
	int n, kept = 0;

	if (r->vector.n == 0)
		return 0;
	n = nearest_find(r->task, r->arena, &r->scope, &r->vector, r->wishes->top_n, r->wishes->without_pinned, found);
	while (kept < n && (*found)[kept].score >= r->wishes->threshold)
		kept++;
	return n < 0 ? -1 : kept;
}

/* ---- fusion ---- */

static int by_passage(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	return x->passage < y->passage ? -1 : x->passage > y->passage;
}

static int by_rank(const void *a, const void *b, void *scope)
{
	const struct hit *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	if (x->vector != y->vector)
		return x->vector ? -1 : 1;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return scope_compare(scope, x->passage, y->passage);
}

static double clamped(double number)
{
	return number < 0 ? 0 : number > 1 ? 1 : number;
}

/* One list of both: what stands high in either stands high. */
static int fuse(struct retrieval *r, const struct found *by_words, int n_words, const struct found *by_vector,
	int n_vector, struct hit **out)
{
	struct hit *hits = arena_get(r->arena, (size_t)(n_words + n_vector + 1) * sizeof(*hits));
	int n = 0, kept = 0, i;

	for (i = 0; i < n_vector; i++)
		hits[n++] = (struct hit){by_vector[i].passage, 1.0 / (RRF_K + 1 + i), clamped(by_vector[i].score),
			by_vector[i].score, true};
	for (i = 0; i < n_words; i++)
		hits[n++] = (struct hit){.passage = by_words[i].passage,
			.rank = 1.0 / (RRF_K + 1 + i),
			.score = bm25_norm(by_words[i].score)};
	qsort(hits, (size_t)n, sizeof(*hits), by_passage);
	for (i = 0; i < n; i++) {
		struct hit *last = kept == 0 ? NULL : &hits[kept - 1];

		if (last == NULL || last->passage != hits[i].passage) {
			hits[kept++] = hits[i];
			continue;
		}
		hits[i].rank += last->rank;
		last->rank = hits[i].rank;
		if (hits[i].vector)
			*last = hits[i];
	}
	qsort_r(hits, (size_t)kept, sizeof(*hits), by_rank, &r->scope);
	*out = hits;
	return kept;
}

/* ---- as they are shown ---- */

/* A list of numbers as an array literal. */
static void put_item(struct str *out, const char *item)
{
	str_putc(out, out->len == 0 ? '{' : ',');
	str_puts(out, item);
}

static struct passage read_passage(PGresult *rows, int row)
{
	return (struct passage){.source = db_text(rows, row, "source"),
		.title = db_text(rows, row, "title"),
		.text = db_text(rows, row, "text"),
		.cited = db_text(rows, row, "cited"),
		.id = db_text(rows, row, "id"),
		.document_id = db_int(rows, row, "document_id"),
		.metadata = db_text(rows, row, "metadata"),
		.score = db_number(rows, row, "score"),
		.distance = db_number(rows, row, "distance"),
		.compared = db_text(rows, row, "distance") != NULL};
}

static int show(struct retrieval *r, const struct hit *hits, int n, struct passage **out)
{
	struct arena *arena = r->arena;
	struct str *columns[5];
	struct passage *passages;
	PGresult *rows;
	int i;

	for (i = 0; i < 5; i++)
		columns[i] = str_new(arena);
	for (i = 0; i < n; i++) {
		const struct part *part = scope_part(&r->scope, hits[i].passage);

		put_item(columns[0], db_int_arg(arena, part->document_id));
		put_item(columns[1], db_int_arg(arena, part->version_id));
		put_item(columns[2], db_int_arg(arena, part->no + hits[i].passage - part->base));
		put_item(columns[3], arena_printf(arena, "%.17g", hits[i].score));
		put_item(columns[4], hits[i].vector ? arena_printf(arena, "%.9g", 1 - hits[i].cosine) : "NULL");
	}
	for (i = 0; i < 5; i++)
		str_puts(columns[i], n == 0 ? "{}" : "}");
	rows = db_rows(r->task, &sql_chunk_show,
		ARGS(columns[0]->at, columns[1]->at, columns[2]->at, columns[3]->at, columns[4]->at));
	if (rows == NULL)
		return -1;
	passages = arena_get(r->task->arena, (size_t)(n + 1) * sizeof(*passages));
	for (i = 0; i < PQntuples(rows); i++)
		passages[i] = read_passage(rows, i);
	*out = passages;
	return PQntuples(rows);
}

/* The best of them; where there is somebody to rank them, of more of them. */
static int show_best(struct retrieval *r, const struct hit *hits, int n, const struct passage **out)
{
	int most = r->wishes->top_n,
	    list = r->ranker.url != NULL && r->config->rerank_list > most ? r->config->rerank_list : most;
	struct passage *passages;

	n = show(r, hits, n < list ? n : list, &passages);
	if (n < 0)
		return -1;
	if (r->ranker.url != NULL)
		rerank(r->task, r->config, &r->ranker, r->question, passages, n, most);
	*out = passages;
	return n < most ? n : most;
}

/* ---- all of it ---- */

static int search(struct retrieval *r, const char *question, const struct passage **out)
{
	static const struct passage none;
	struct found *by_words = NULL, *by_vector = NULL;
	struct hit *hits;
	int n_words = BM25_STALE, n_vector, n, reads;

	*out = NULL;
	for (reads = 0; n_words == BM25_STALE; reads++) {
		if (read_scope(r) < 0)
			return -1;
		if (r->scope.n_passages == 0)
			return 0;
		if (reads == 0 && make_vector(r, question) < 0)
			return -1;
		if (reads == MAX_READS)
			return fail(r->task, 503, "words_busy", "The documents are being rearranged; try again.");
		n_words = find_by_words(r, &by_words);
	}
	n_vector = n_words < 0 ? -1 : find_by_vector(r, &by_vector);
	if (n_vector < 0)
		return -1;
	*out = &none;
	n = fuse(r, by_words, n_words, by_vector, n_vector, &hits);
	return n == 0 ? 0 : show_best(r, hits, n, out);
}

int retrieve(struct task *task, const struct config *config, const struct retrieve_scope *scope, const char *question,
	const struct retrieve_wishes *wishes, const struct passage **out)
{
	struct retrieval r = {.task = task,
		.arena = arena_within(task->arena),
		.config = config,
		.wanted = scope,
		.wishes = wishes,
		.question = arena_copy(task->arena, question, utf8_cut(question, strlen(question), QUESTION_BYTES))};
	int n = search(&r, question, out);

	arena_empty(r.arena);
	return n;
}

struct retrieve_scope retrieve_workspace(struct arena *arena, int64_t workspace_id)
{
	return (struct retrieve_scope){arena_printf(arena, "{%lld}", (long long)workspace_id), "{}"};
}

/* ---- pinned documents ---- */

int retrieve_pinned(struct task *task, int64_t workspace_id, size_t bytes, const struct passage **out)
{
	struct arena *arena = task->arena;
	PGresult *rows = db_rows(task, &sql_workspace_document_pinned,
		ARGS(db_int_arg(arena, workspace_id),
			db_int_arg(arena, bytes > INT32_MAX ? INT32_MAX : (int64_t)bytes)));
	int n = rows == NULL ? 0 : PQntuples(rows), i;
	struct passage *passages = arena_get(arena, (size_t)(n + 1) * sizeof(*passages));

	for (i = 0; i < n; i++)
		passages[i] = (struct passage){.source = db_text(rows, i, "source"),
			.title = db_text(rows, i, "title"),
			.text = db_text(rows, i, "text"),
			.cited = db_text(rows, i, "text"),
			.document_id = db_int(rows, i, "document_id"),
			.whole = true};
	*out = passages;
	return rows == NULL ? -1 : n;
}

/* ---- earlier passages ---- */

static bool among(const struct passage *passages, int n, const char *cited)
{
	int i;

	for (i = 0; i < n; i++)
		if (strcmp(passages[i].cited, cited) == 0)
			return true;
	return false;
}

int retrieve_earlier(struct task *task, const struct passage *found, int n, int most, const struct passage **earlier)
{
	enum { LOOK_BACK_CHATS = 20, ROWS_EACH = 8 };
	PGresult *rows = db_rows(task, &sql_chat_backfill,
		ARGS(task->identity.chat_id, db_int_arg(task->arena, LOOK_BACK_CHATS),
			db_int_arg(task->arena, (n + most) * ROWS_EACH)));
	struct passage *passages = arena_get(task->arena, (size_t)(most + 1) * sizeof(*passages));
	int i, kept = 0;

	if (rows == NULL)
		return -1;
	for (i = 0; i < PQntuples(rows) && kept < most; i++) {
		const char *cited = db_text(rows, i, "cited");

		if (!among(found, n, cited) && !among(passages, kept, cited))
			passages[kept++] = (struct passage){.source = db_text(rows, i, "source"),
				.title = db_text(rows, i, "title"),
				.text = cited,
				.cited = cited,
				.score = db_number(rows, i, "score")};
	}
	*earlier = passages;
	return kept;
}
