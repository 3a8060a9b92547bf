/* SPDX-License-Identifier: ISC
 * Texts become documents: cut into passages, written in batches that nobody sees, shown when they are complete. */
#ifndef EXEDRA_INGEST_H
#define EXEDRA_INGEST_H

#include <libpq-fe.h>

#include "base/config.h"
#include "core/file.h"

struct document {
	const char *uuid, *folder, *name; /* the location is folder/name */
	const char *title, *url, *author, *description, *source, *chunk_source, *published;
	const char *external_id; /* or NULL; a document of that name is replaced, and keeps its uuid and location */
	int64_t word_count, token_estimate;
	const char *text; /* valid UTF-8 without NUL */
	size_t text_len;
	bool mapped;         /* the text is a mapped file: what is read of it need not stay in memory */
	const char *version; /* NULL: to be written; else of a document with the same text */
	int64_t id;          /* out */
};

/* Store a document of a file; it is there whole or not at all.  -1 with the reason in the task. */
int ingest_document(struct task *, const struct config *, const struct file *, struct document *);
/* Give a document another text. */
int ingest_replace(struct task *, const struct config *, struct document *);
/* For the metrics: a document was not stored, for a reason from elsewhere (ingest_document() and ingest_replace() count
 * their own). */
void ingest_count_failure(const struct task *);
/* Put a stored document into workspaces by slug; unknown slugs are passed over. */
int ingest_add_to(
	struct task *, const struct config *, const struct document *, const char *const *slugs, size_t n_slugs);

/* Put a stored document, by its id and its version's, into a workspace: first its vectors, then the document.  One that
 * cannot be embedded is not put in: -1 with the reason in the task. */
int ingest_place(struct task *, const struct config *, const char *workspace_id, const char *document_id,
	const char *version_id);
/* The same for the rows of a result (document_id, version_id), in their order; those that cannot be embedded are left
 * out. */
int ingest_place_all(struct task *, const struct config *, const char *workspace_id, PGresult *documents);

/* Fill in AnythingLLM's numbers: pieces between single spaces; tokens, about one in four bytes, and of a long text
 * (5,120 UTF-16 units or more) an eighth of the units. */
void ingest_measure(struct document *);

/* Upkeep, now and then: delete texts and files that were begun long ago and never came to their end. */
void ingest_sweep(void);

#endif
