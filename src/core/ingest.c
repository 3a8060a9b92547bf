/* SPDX-License-Identifier: ISC */
#include "core/ingest.h"

#include <string.h>

#include "base/log.h"
#include "base/temp.h"
#include "base/utf8.h"
#include "core/chunk.h"
#include "core/words.h"
#include "store/db.h"
#include "store/secret.h"

enum {
	LONG_UNITS = 5120,   /* from here on the original, too, only estimates */
	PART_BYTES = 262144, /* of document_text */
	BATCH_CHUNKS = 200,  /* written in one transaction: about 200 kB of text */
	KEEP_BYTES = 65536,  /* behind the walk: the next passage begins before the end of this one */
};

int64_t ingest_count_words(const char *text, size_t len)
{
	int64_t n = 1;
	size_t i;

	for (i = 0; i < len; i++)
		n += text[i] == ' ';
	return n;
}

int64_t ingest_estimate_tokens(const char *text, size_t len)
{
	int64_t units = 0;
	size_t i;

	/* UTF-16: one unit a character, two where UTF-8 needs four bytes. */
	for (i = 0; i < len; i++)
		units += ((unsigned char)text[i] & 0xc0) != 0x80 ? 1 + ((unsigned char)text[i] >= 0xf0) : 0;
	return units >= LONG_UNITS ? (units + 7) / 8 : (int64_t)((len + 3) / 4);
}

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

static int write_text(struct task *task, struct arena *small, const struct document *document)
{
	size_t at = 0;
	int no = 0;

	while (at < document->text_len) {
		size_t len = utf8_cut(document->text + at, document->text_len - at, PART_BYTES);
		const char *part = arena_copy(small, document->text + at, len);

		if (run_small(task, small, &sql_document_write,
			    ARGS(document->version, db_int_arg(small, no++), db_array(small, &part, 1))) < 0)
			return -1;
		at += len;
		passed(document, at);
	}
	return 0;
}

/* Write the next batch of passages; how many, 0 at the end, -1 on failure. */
static int write_batch(struct task *task, struct arena *small, struct chunk_walk *walk, const struct document *document,
	const char *language, int no)
{
	const char *texts[BATCH_CHUNKS], *words[BATCH_CHUNKS];
	struct chunk chunk;
	int n = 0;

	while (n < BATCH_CHUNKS && chunk_next(walk, &chunk)) {
		struct str *prepared = str_new(small);

		if (no == 0 && n == 0) { /* the title is found too, once */
			words_prepare(prepared, document->title, strlen(document->title));
			str_puts(prepared, "\n");
		}
		words_prepare(prepared, walk->text + chunk.at, chunk.len);
		texts[n] = arena_copy(small, walk->text + chunk.at, chunk.len);
		words[n++] = prepared->at;
	}
	if (n == 0)
		return 0;
	return run_small(task, small, &sql_chunk_write,
		       ARGS(document->version, db_int_arg(small, no), db_array(small, texts, (size_t)n),
			       db_array(small, words, (size_t)n), language)) < 0
		       ? -1
		       : n;
}

static int write_chunks(struct task *task, struct arena *small, const struct config *config,
	const struct document *document, const char *language)
{
	struct chunk_walk walk = {.text = document->text,
		.len = document->text_len,
		.max_chars = (size_t)config->chunk_chars,
		.overlap = (size_t)config->chunk_overlap};
	int no = 0, n;

	while ((n = write_batch(task, small, &walk, document, language, no)) > 0) {
		no += n;
		passed(document, walk.floor > KEEP_BYTES ? walk.floor - KEEP_BYTES : 0);
	}
	return n < 0 ? -1 : no;
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

	secret_sha256(d->text, d->text_len, hash);
	passed(d, d->text_len);
	if (db_run(task, &call, 1) < 0)
		return -1;
	d->version = db_text(call.rows, 0, "version_id");
	task->bulk = true;
	if (write_text(task, small, d) == 0)
		n_chunks = write_chunks(task, small, config, d, db_text(call.rows, 0, "language"));
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

int ingest_document(struct task *task, const struct config *config, const struct file *file, struct document *d)
{
	int n_chunks;

	if (d->version != NULL)
		return publish(task, file, d, NULL);
	n_chunks = write_version(task, config, d);
	if (n_chunks < 0)
		return -1;
	if (publish(task, file, d, db_int_arg(task->arena, n_chunks)) == 0)
		return 0;
	abandon(task, d->version);
	return -1;
}

int ingest_replace(struct task *task, const struct config *config, struct document *d)
{
	struct arena *arena = task->arena;
	int n_chunks = write_version(task, config, d);
	PGresult *rows;

	if (n_chunks < 0)
		return -1;
	rows = db_rows(task, &sql_document_replace,
		ARGS(db_int_arg(arena, d->id), d->version, db_int_arg(arena, n_chunks),
			db_int_arg(arena, d->word_count), db_int_arg(arena, d->token_estimate)));
	if (rows != NULL && PQntuples(rows) == 1)
		return 0;
	if (rows != NULL)
		fail(task, 404, "document_unknown", "There is no such document.");
	abandon(task, d->version);
	return -1;
}

int ingest_add_to(struct task *task, const struct document *document, const char *const *slugs, size_t n_slugs)
{
	struct arena *arena = task->arena;

	if (n_slugs == 0)
		return 0;
	return db_rows(task, &sql_workspace_document_add_to,
		       ARGS(db_int_arg(arena, document->id), db_array(arena, slugs, n_slugs))) == NULL
		       ? -1
		       : 0;
}

int ingest_place(struct task *task, const struct config *config, const char *workspace_id, const char *document_id,
	const char *version_id)
{
	(void)config;
	(void)version_id;
	return db_rows(task, &sql_knowledge_add, ARGS(workspace_id, document_id)) == NULL ? -1 : 0;
}
