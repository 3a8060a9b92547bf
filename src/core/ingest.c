/* SPDX-License-Identifier: ISC */
#include "core/ingest.h"

#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "core/chunk.h"
#include "core/words.h"
#include "store/db.h"

enum {
	LONG_UNITS = 5120,   /* from here on the original, too, only estimates */
	PART_BYTES = 262144, /* of document_text */
	BATCH_CHUNKS = 200,  /* written in one transaction: about 200 kB of text */
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

static int write_text(struct task *task, struct arena *small, const struct document *document, const char *version)
{
	size_t at = 0;
	int no = 0;

	while (at < document->text_len) {
		size_t len = utf8_cut(document->text + at, document->text_len - at, PART_BYTES);
		const char *part = arena_copy(small, document->text + at, len);

		if (run_small(task, small, &sql_document_write,
			    ARGS(version, db_int_arg(small, no++), db_array(small, &part, 1))) < 0)
			return -1;
		at += len;
	}
	return 0;
}

/* Write the next batch of passages; how many, 0 at the end, -1 on failure. */
static int write_batch(struct task *task, struct arena *small, struct chunk_walk *walk, const struct document *document,
	const char *version, const char *language, int no)
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
		       ARGS(version, db_int_arg(small, no), db_array(small, texts, (size_t)n),
			       db_array(small, words, (size_t)n), language)) < 0
		       ? -1
		       : n;
}

static int write_chunks(struct task *task, struct arena *small, const struct config *config,
	const struct document *document, const char *version, const char *language)
{
	struct chunk_walk walk = {.text = document->text,
		.len = document->text_len,
		.max_chars = (size_t)config->chunk_chars,
		.overlap = (size_t)config->chunk_overlap};
	int no = 0, n;

	while ((n = write_batch(task, small, &walk, document, version, language, no)) > 0)
		no += n;
	return n < 0 ? -1 : no;
}

static void abandon(struct task *task, int64_t id)
{
	struct failure failure = task->failure;

	fail_clear(task);
	if (db_rows(task, &sql_document_abandon, ARGS(db_int_arg(task->arena, id))) == NULL)
		log_event(LOG_WARNING, task, "document_abandoned", "document=%lld", (long long)id);
	task->failure = failure;
}

int ingest_document(struct task *task, const struct config *config, struct document *d)
{
	struct arena *arena = task->arena, *small = arena_within(arena);
	PGresult *rows;
	const char *version;
	int n_chunks;

	rows = db_rows(task, &sql_document_begin,
		ARGS(d->uuid, d->folder, d->name, d->title, d->url, d->author, d->description, d->source,
			d->chunk_source, d->published, db_int_arg(arena, d->word_count),
			db_int_arg(arena, d->token_estimate)));
	if (rows == NULL)
		return -1;
	d->id = db_int(rows, 0, "document_id");
	version = db_text(rows, 0, "version_id");
	n_chunks = write_text(task, small, d, version) < 0
			   ? -1
			   : write_chunks(task, small, config, d, version, db_text(rows, 0, "language"));
	if (n_chunks < 0 || db_rows(task, &sql_document_publish,
				    ARGS(db_int_arg(arena, d->id), version, db_int_arg(arena, n_chunks))) == NULL) {
		abandon(task, d->id);
		return -1;
	}
	return 0;
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
