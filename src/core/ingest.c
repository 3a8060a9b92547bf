/* SPDX-License-Identifier: ISC */
#include "core/ingest.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/temp.h"
#include "base/utf8.h"
#include "core/chunk.h"
#include "core/embed.h"
#include "core/segment.h"
#include "core/words.h"
#include "store/db.h"
#include "store/secret.h"

enum {
	LONG_UNITS = 5120,   /* from here on the original, too, only estimates */
	PART_BYTES = 262144, /* of document_text */
	PIECE_BYTES = 1 << 20,
	BATCH_CHUNKS = 200, /* written in one transaction: about 200 kB of text */
	LEFT_S = 86400,     /* after which nobody writes it any more */
	KEEP_BYTES = 65536, /* behind the walk: the next passage begins before the end of this one */
};

/* A transaction of its own memory: what a batch needs is released before the next one. */
static int run_small(
	struct task *task, struct arena *small, const struct stmt *stmt, const char *const *args, int n_args)
{
	PGresult *rows = db_rows_in(small, task, stmt, args, n_args);

	arena_empty(small);
	return rows == NULL ? -1 : 0;
}

/* Of a mapped file only what is being read stays in memory. */
static void passed(const struct document *d, size_t upto)
{
	if (d->mapped)
		temp_passed(d->text, upto);
}

/* A long text is read piece by piece: where the next one ends. */
static size_t next_piece(const struct document *d, size_t at)
{
	passed(d, at);
	return d->text_len - at < PIECE_BYTES ? d->text_len : at + PIECE_BYTES;
}

void ingest_measure(struct document *d)
{
	int64_t spaces = 0, units = 0;
	size_t at = 0, end;

	while (at < d->text_len)
		for (end = next_piece(d, at); at < end; at++) {
			unsigned char byte = (unsigned char)d->text[at];

			spaces += byte == ' ';
			/* UTF-16: one unit a character, two where UTF-8 needs four bytes. */
			units += (byte & 0xc0) != 0x80 ? 1 + (byte >= 0xf0) : 0;
		}
	passed(d, at);
	d->word_count = 1 + spaces;
	d->token_estimate = units >= LONG_UNITS ? (units + 7) / 8 : (int64_t)((d->text_len + 3) / 4);
}

static void hash_text(const struct document *d, unsigned char hash[32])
{
	struct secret_hash state;
	size_t at, end;

	secret_hash_begin(&state);
	for (at = 0; at < d->text_len; at = end) {
		end = next_piece(d, at);
		secret_hash_add(&state, d->text + at, end - at);
	}
	secret_hash_end(&state, hash);
	passed(d, at);
}

static int write_text(struct task *task, struct arena *small, const struct document *document)
{
	size_t at = 0;
	int no = 0;

	while (at < document->text_len && fail_if_stopped(task) == 0) {
		size_t len = utf8_cut(document->text + at, document->text_len - at, PART_BYTES);
		const char *part = arena_copy(small, document->text + at, len);

		if (run_small(task, small, &sql_document_write,
			    ARGS(document->version, db_int_arg(small, no++), part)) < 0)
			return -1;
		at += len;
		passed(document, at);
	}
	return task->failure.status == 0 ? 0 : -1;
}

/* Write the next batch of passages; how many, 0 at the end, -1 on failure. */
static int write_batch(struct task *task, struct arena *small, struct chunk_walk *walk, const struct document *document,
	const char *language, int no, struct segment_writer *segment)
{
	struct str *texts = db_pack(small, DB_TEXT), *words = db_pack(small, DB_TEXT);
	const char *args[5] = {document->version, NULL, NULL, NULL, language};
	int lengths[5] = {0};
	struct db_call call = {.stmt = &sql_chunk_write, .args = args, .n_args = 5, .lengths = lengths, .binary = true};
	struct chunk chunk;
	int n = 0, result;

	while (n < BATCH_CHUNKS && chunk_next(walk, &chunk)) {
		struct str *prepared = str_new(small);

		if (no == 0 && n == 0) { /* the title is found too, once */
			words_prepare(prepared, document->title, strlen(document->title));
			str_puts(prepared, "\n");
		}
		words_prepare(prepared, walk->text + chunk.at, chunk.len);
		db_pack_item(texts, walk->text + chunk.at, chunk.len);
		db_pack_item(words, prepared->at, prepared->len);
		n++;
	}
	if (n == 0 || fail_if_stopped(task) < 0)
		return n == 0 ? 0 : -1;
	args[1] = db_int_arg(small, no);
	args[2] = texts->at;
	args[3] = words->at;
	lengths[2] = (int)texts->len;
	lengths[3] = (int)words->len;
	result = db_run_in(small, task, &call, 1);
	if (result == 0)
		result = segment_add(segment, call.rows);
	arena_empty(small);
	return result < 0 ? -1 : n;
}

/* What the tenant has set, else the server. */
static size_t own_or(PGresult *begun, const char *column, int usual)
{
	return (size_t)(db_text(begun, 0, column) == NULL ? usual : db_int(begun, 0, column));
}

static int write_chunks(struct task *task, struct arena *small, const struct config *config,
	const struct document *document, PGresult *begun)
{
	const char *language = db_text(begun, 0, "language");
	struct chunk_walk walk = {.text = document->text,
		.len = document->text_len,
		.max_chars = own_or(begun, "chunk_size", config->chunk_chars),
		.overlap = own_or(begun, "chunk_overlap", config->chunk_overlap)};
	struct segment_writer *segment = segment_begin(task, document->version, language);
	int no = 0, n;

	while ((n = write_batch(task, small, &walk, document, language, no, segment)) > 0) {
		no += n;
		passed(document, walk.floor > KEEP_BYTES ? walk.floor - KEEP_BYTES : 0);
	}
	return n < 0 || segment_end(segment) < 0 ? -1 : no;
}

static void abandon(struct task *task, const char *version)
{
	struct failure failure = task->failure;

	fail_clear(task);
	if (db_rows(task, &sql_document_abandon, ARGS(version)) == NULL)
		log_event(LOG_WARNING, task, "version_abandoned", "version=%s", version);
	task->failure = failure;
}

/* Write the text under a version that nobody sees yet.  Returns how many passages it has, -1 on failure. */
static int write_version(struct task *task, const struct config *config, struct document *d)
{
	struct arena *small = arena_within(task->arena);
	unsigned char hash[32];
	const char *args[] = {(const char *)hash};
	const int lengths[] = {sizeof(hash)};
	struct db_call call = {.stmt = &sql_document_begin, .args = args, .n_args = 1, .lengths = lengths};
	int n_chunks = -1;

	hash_text(d, hash);
	if (db_run(task, &call, 1) < 0)
		return -1;
	d->version = db_text(call.rows, 0, "version_id");
	task->bulk = true;
	if (write_text(task, small, d) == 0)
		n_chunks = write_chunks(task, small, config, d, call.rows);
	task->bulk = false;
	if (n_chunks < 0)
		abandon(task, d->version);
	return n_chunks;
}

static int publish(struct task *task, const struct file *file, struct document *d, const char *n_chunks)
{
	struct arena *arena = task->arena;
	PGresult *rows = db_rows(task, &sql_document_publish,
		ARGS(file->id, d->version, n_chunks, d->uuid, d->folder, d->name, d->title, d->url, d->author,
			d->description, d->source, d->chunk_source, d->published, db_int_arg(arena, d->word_count),
			db_int_arg(arena, d->token_estimate), d->external_id));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return fail(task, 409, "version_gone", "The text this one is the same as has just been deleted.");
	d->id = db_int(rows, 0, "id");
	d->uuid = db_text(rows, 0, "uuid");
	d->folder = db_text(rows, 0, "folder");
	d->name = db_text(rows, 0, "name");
	return 0;
}

/* A document that is known by its external id is about to show this text: its workspaces' embedders have it first. */
static int embed_known(struct task *task, const struct config *config, const struct document *d)
{
	if (d->external_id == NULL)
		return 0;
	return embed_replacement(task, config, NULL, d->external_id, d->version, d->title);
}

void ingest_count_failure(const struct task *task)
{
	metrics_add(METRIC_DOCUMENT_FAILURES, metrics_place(LABEL_REASON, task->failure.code), 0, 1);
}

static int count(const struct task *task, int result)
{
	if (result == 0)
		metrics_add(METRIC_DOCUMENTS, 0, 0, 1);
	else
		ingest_count_failure(task);
	return result;
}

static int store(struct task *task, const struct config *config, const struct file *file, struct document *d)
{
	bool own = d->version == NULL;
	int n_chunks = own ? write_version(task, config, d) : 0;

	if (n_chunks < 0)
		return -1;
	if (embed_known(task, config, d) == 0 &&
		publish(task, file, d, own ? db_int_arg(task->arena, n_chunks) : NULL) == 0)
		return 0;
	if (own)
		abandon(task, d->version);
	return -1;
}

int ingest_document(struct task *task, const struct config *config, const struct file *file, struct document *d)
{
	return count(task, store(task, config, file, d));
}

static int replace(struct task *task, const struct config *config, struct document *d)
{
	struct arena *arena = task->arena;
	const char *id = db_int_arg(arena, d->id);
	int n_chunks = write_version(task, config, d);
	PGresult *rows = NULL;

	if (n_chunks < 0)
		return -1;
	if (embed_replacement(task, config, id, NULL, d->version, d->title) == 0)
		rows = db_rows(task, &sql_document_replace,
			ARGS(id, d->version, db_int_arg(arena, n_chunks), db_int_arg(arena, d->word_count),
				db_int_arg(arena, d->token_estimate)));
	if (rows != NULL && PQntuples(rows) == 1)
		return 0;
	if (rows != NULL)
		fail(task, 404, "document_unknown", "There is no such document.");
	abandon(task, d->version);
	return -1;
}

int ingest_replace(struct task *task, const struct config *config, struct document *d)
{
	return count(task, replace(task, config, d));
}

int ingest_place(struct task *task, const struct config *config, const char *workspace_id, const char *document_id,
	const char *version_id)
{
	if (embed_version(task, config, strtoll(workspace_id, NULL, 10), version_id) < 0)
		return -1;
	return db_rows(task, &sql_knowledge_add, ARGS(workspace_id, document_id)) == NULL ? -1 : 0;
}

int ingest_place_all(struct task *task, const struct config *config, const char *workspace_id, PGresult *documents)
{
	int64_t workspace = strtoll(workspace_id, NULL, 10);
	size_t n = 0;
	const char **ids = arena_get(task->arena, ((size_t)PQntuples(documents) + 1) * sizeof(*ids));
	int i;

	for (i = 0; i < PQntuples(documents); i++) {
		const char *version = db_text(documents, i, "version_id");

		if (embed_version(task, config, workspace, version) == 0) {
			ids[n++] = db_text(documents, i, "document_id");
			continue;
		}
		log_event(LOG_WARNING, task, "document_left_out", "document=%s workspace=%s code=%s",
			db_text(documents, i, "document_id"), workspace_id, task->failure.code);
		fail_clear(task);
	}
	if (n == 0)
		return 0;
	return db_rows(task, &sql_workspace_document_put, ARGS(workspace_id, db_array(task->arena, ids, n))) == NULL
		       ? -1
		       : 0;
}

int ingest_add_to(struct task *task, const struct config *config, const struct document *document,
	const char *const *slugs, size_t n_slugs)
{
	const char *id = db_int_arg(task->arena, document->id);
	PGresult *rows;
	int i;

	if (n_slugs == 0)
		return 0;
	rows = db_rows(task, &sql_workspace_with_slugs, ARGS(db_array(task->arena, slugs, n_slugs)));
	for (i = 0; rows != NULL && i < PQntuples(rows); i++)
		if (ingest_place(task, config, PQgetvalue(rows, i, 0), id, document->version) < 0)
			return -1;
	return rows == NULL ? -1 : 0;
}

void ingest_sweep(void)
{
	struct task task = task_upkeep(0);

	if (task.arena == NULL)
		return;
	db_rows(&task, &sql_document_sweep, ARGS(db_int_arg(task.arena, LEFT_S)));
	arena_free(task.arena);
}
