/* SPDX-License-Identifier: ISC */
#include "core/embed.h"

#include <endian.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"
#include "base/utf8.h"
#include "core/embedder.h"
#include "store/db.h"

enum {
	TITLE_BYTES = 200, /* of a title before a passage */
	MAX_ROUNDS = 3,    /* when others take away what was made meanwhile */
};

/* A version on its way to its vectors. */
struct making {
	struct task *task;
	const struct config *config;
	const struct embedder *embedder;
	int dimension;
	const char *version, *title;
	struct arena *small; /* of a batch */
	int64_t tokens;      /* -1: somewhere nobody counted */
	int64_t bytes;       /* of the texts */
};

const char *embed_cut(struct arena *arena, const char *text, size_t most)
{
	size_t len = strlen(text);

	return len <= most ? text : arena_copy(arena, text, utf8_cut(text, len, most));
}

/* The code of a vector: a letter a component, 1 where it is positive, else 0. */
static const char *code_of(struct arena *arena, const float *at, int n)
{
	char *code = arena_get(arena, (size_t)n + 1);
	int i;

	for (i = 0; i < n; i++)
		code[i] = at[i] > 0 ? '1' : '0';
	return code;
}

/* The title says what a passage that begins in the middle is about.  It is no more of the header that clients see: a
 * date and markup would only make all vectors more alike. */
static const char *text_of(struct making *making, PGresult *rows, int row)
{
	struct arena *small = making->small;
	const char *title = making->title != NULL ? making->title : db_text(rows, row, "title");
	const char *text = db_text(rows, row, "text");

	if (title != NULL && *title != '\0')
		text = arena_printf(small, "%s\n\n%s", embed_cut(small, title, TITLE_BYTES), text);
	text = embed_cut(small, text, (size_t)making->config->embed_limit);
	making->bytes += (int64_t)strlen(text);
	return text;
}

/* The first vector says which dimension an embedder has; from then on it has no other. */
static int check_dimension(struct making *making, int dimension)
{
	struct task *task = making->task;

	if (making->dimension == 0) {
		PGresult *rows = db_rows(
			task, &sql_embedder_measure, ARGS(making->embedder->id, db_int_arg(task->arena, dimension)));

		if (rows == NULL)
			return -1;
		making->dimension = PQntuples(rows) == 0 ? dimension : (int)db_int(rows, 0, "dimension");
	}
	if (dimension == making->dimension)
		return 0;
	return fail(task, 502, "embed_dimension", "The embedder sent vectors of %d dimensions, and of %d before.",
		dimension, making->dimension);
}

/* float32, little-endian. */
static const char *vector_bytes(struct arena *arena, const float *at, size_t n)
{
	char *bytes = arena_get(arena, n * sizeof(*at));
	size_t i;

	for (i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, &at[i], sizeof(bits));
		bits = htole32(bits);
		memcpy(bytes + i * sizeof(bits), &bits, sizeof(bits));
	}
	return bytes;
}

static int write_vectors(struct making *making, PGresult *rows, const struct embed_call *call)
{
	struct arena *small = making->small;
	size_t n = (size_t)call->n_texts, dimension = (size_t)call->dimension, i;
	const char **ids = arena_get(small, n * sizeof(*ids)), **codes = arena_get(small, n * sizeof(*codes));
	const char *args[5] = {making->embedder->id, making->version};
	int lengths[5] = {0, 0, 0, 0, (int)(n * dimension * sizeof(float))}, result;
	struct db_call write = {.stmt = &sql_embedding_write, .args = args, .n_args = 5, .lengths = lengths};

	for (i = 0; i < n; i++) {
		ids[i] = db_text(rows, (int)i, "id");
		codes[i] = code_of(small, call->vectors + i * dimension, call->dimension);
	}
	args[2] = db_array(small, ids, n);
	args[3] = db_array(small, codes, n);
	args[4] = vector_bytes(small, call->vectors, n * dimension);
	making->task->bulk = true;
	result = db_run_in(small, making->task, &write, 1);
	making->task->bulk = false;
	return result;
}

/* The next passages behind *after that have no vector.  How many, -1 with the reason in the task. */
static int make_batch(struct making *making, int *after)
{
	struct task *task = making->task;
	struct arena *small = making->small;
	struct embed_call call = {
		.task = task, .config = making->config, .setup = &making->embedder->setup, .arena = small};
	PGresult *rows = db_rows_in(small, task, &sql_embedding_missing,
		ARGS(making->version, making->embedder->id, db_int_arg(small, *after),
			db_int_arg(small, making->config->embed_batch)));
	int n = rows == NULL ? -1 : PQntuples(rows), i;
	const char **texts;

	if (n <= 0)
		return n;
	texts = arena_get(small, (size_t)n * sizeof(*texts));
	for (i = 0; i < n; i++)
		texts[i] = text_of(making, rows, i);
	call.texts = texts;
	call.n_texts = n;
	/* No connection is held while the embedder works. */
	if (embed_texts(&call) < 0 || check_dimension(making, call.dimension) < 0 ||
		write_vectors(making, rows, &call) < 0)
		return -1;
	making->tokens = making->tokens < 0 || call.n_tokens < 0 ? -1 : making->tokens + call.n_tokens;
	*after = (int)db_int(rows, n - 1, "no");
	return n;
}

static int make_missing(struct making *making)
{
	int after = -1, n;

	do {
		n = make_batch(making, &after);
		arena_empty(making->small);
	} while (n > 0);
	return n;
}

static int version_gone(struct task *task)
{
	return fail(task, 409, "version_gone", "The text was deleted or replaced meanwhile.");
}

/* Until each passage has its vector: a failure elsewhere, of the same work, may take away what was there. */
static int make_all(struct making *making)
{
	struct task *task = making->task;
	int round;

	for (round = 0; round < MAX_ROUNDS; round++) {
		PGresult *rows;

		if (make_missing(making) < 0)
			return -1;
		rows = db_rows(task, &sql_embedding_complete, ARGS(making->version, making->embedder->id));
		if (rows == NULL)
			return -1;
		if (db_text(rows, 0, "complete") == NULL)
			return version_gone(task);
		if (db_true(rows, 0, "complete"))
			return 0;
	}
	return fail(task, 503, "embed_unfinished", "The text's vectors could not be completed; try again.");
}

static void abandon(struct making *making)
{
	struct task *task = making->task;
	struct failure failure = task->failure;

	fail_clear(task);
	if (db_rows(task, &sql_embedding_abandon, ARGS(making->version, making->embedder->id)) == NULL)
		log_event(LOG_WARNING, task, "vectors_abandoned", "version=%s", making->version);
	task->failure = failure;
}

/* The ledger: what the embedder has read. */
static void charge(struct making *making)
{
	struct arena *arena = making->task->arena;
	const struct embed_setup *setup = &making->embedder->setup;
	int64_t tokens = making->tokens < 0 ? (making->bytes + 3) / 4 : making->tokens;

	if (making->bytes == 0)
		return;
	if (db_rows(making->task, &sql_usage_embedding,
		    ARGS(setup->provider, setup->model, db_int_arg(arena, tokens), db_bool_arg(making->tokens < 0))) ==
		NULL)
		fail_clear(making->task);
	else
		metrics_add(METRIC_TOKENS, metrics_provider(setup->provider, METRICS_EMBEDDING), METRICS_IN, tokens);
}

static int embed_once(
	struct task *task, const struct config *config, int64_t workspace_id, const char *version_id, const char *title)
{
	struct own_embedder own = embedder_own(task->arena, config);
	struct embedder embedder = {0};
	struct making making = {
		.task = task, .config = config, .embedder = &embedder, .version = version_id, .title = title};
	PGresult *rows = db_rows(task, &sql_embedder_want,
		ARGS(db_int_arg(task->arena, workspace_id), version_id, own.provider, own.model, own.dimensions));
	int found;

	if (rows == NULL)
		return -1;
	if (db_true(rows, 0, "embedded"))
		return 0;
	found = embedder_read(task, rows, &own, &embedder);
	if (found <= 0)
		return found;
	if (!db_true(rows, 0, "version_found"))
		return version_gone(task);
	making.dimension = embedder.dimension;
	making.small = arena_within(task->arena);
	if (make_all(&making) < 0) {
		abandon(&making);
		return -1;
	}
	charge(&making);
	return 0;
}

/* What is referred to may go meanwhile.  If it was the embedder, which somebody had just ceased to want, there is
 * another one now; if it was the text, the second try says so. */
int embed_titled(
	struct task *task, const struct config *config, int64_t workspace_id, const char *version_id, const char *title)
{
	if (embed_once(task, config, workspace_id, version_id, title) == 0)
		return 0;
	if (strcmp(task->failure.code, "conflict") != 0)
		return -1;
	fail_clear(task);
	return embed_once(task, config, workspace_id, version_id, title);
}

int embed_version(struct task *task, const struct config *config, int64_t workspace_id, const char *version_id)
{
	return embed_titled(task, config, workspace_id, version_id, NULL);
}

/* One that fails keeps none of the others from its vectors; the first reason counts. */
static int embed_homes(
	struct task *task, const struct config *config, PGresult *homes, const char *version_id, const char *title)
{
	struct failure first = {0};
	int i;

	for (i = 0; homes != NULL && i < PQntuples(homes); i++) {
		if (embed_titled(task, config, db_int(homes, i, "workspace_id"), version_id, title) == 0)
			continue;
		if (first.status == 0)
			first = task->failure;
		fail_clear(task);
	}
	if (first.status != 0)
		task->failure = first;
	return task->failure.status == 0 ? 0 : -1;
}

int embed_replacement(struct task *task, const struct config *config, const char *document_id, const char *external_id,
	const char *version_id, const char *title)
{
	return embed_homes(task, config, db_rows(task, &sql_embedding_homes, ARGS(NULL, document_id, external_id)),
		version_id, title);
}

int embed_everywhere(struct task *task, const struct config *config, const char *version_id)
{
	PGresult *homes = db_rows(task, &sql_embedding_homes, ARGS(version_id, NULL, NULL));

	if (homes != NULL && PQntuples(homes) == 0)
		return embed_version(task, config, 0, version_id);
	return embed_homes(task, config, homes, version_id, NULL);
}
