/* SPDX-License-Identifier: ISC
 * Vectors of questions and of stored texts: which embedder makes them, and that a text has all of them or none. */
#ifndef EXEDRA_CORE_EMBED_H
#define EXEDRA_CORE_EMBED_H

#include "base/config.h"
#include "base/task.h"
#include "store/db.h"

struct vector {
	int64_t embedder_id; /* vectors of two embedders are never compared */
	int n;               /* 0: there is none */
	float *at;           /* of length 1; belongs to the task's arena */
};

/* Vectors that embedders have made of one question, or could not make (n 0): none is asked twice.  Zeroed at first. */
enum { EMBED_ASKED = 4 };
struct embed_asked {
	int n;
	struct vector at[EMBED_ASKED];
};

struct embed_question {
	const char *workspaces, *files; /* where it is looked for, as struct retrieve_scope has them */
	const char *text;
	struct embed_asked *asked; /* NULL: it is asked once */
	struct db_call *along;     /* to be run in the same round trip; not run for a question without words */
};

/* The vector of a question, by the embedder whose vectors cover most documents there.  0 with out->n 0 too
 * when there is no embedder, or it fails: search goes on by words then.  -1 with the reason in the task when the
 * database fails. */
int embed_question(struct task *, const struct config *, const struct embed_question *, struct vector *out);

/* Make the vectors of a stored version that the embedder wanted for the workspace (0: for the tenant) has not made yet.
 * 0 also when there is no embedder.  -1 with the reason in the task; the version then has no vectors of that embedder.
 */
int embed_version(struct task *, const struct config *, int64_t workspace_id, const char *version_id);
/* The same, with the title that stands before each passage; NULL: of the first document that shows the version. */
int embed_titled(struct task *, const struct config *, int64_t workspace_id, const char *version_id, const char *title);
/* embed_titled() for all workspaces that hold a document, by its id or external id (or NULL), before it shows this
 * version. */
int embed_replacement(struct task *, const struct config *, const char *document_id, const char *external_id,
	const char *version_id, const char *title);

/* embed_version() for all workspaces that hold the version; for one that is in none, by the tenant. */
int embed_everywhere(struct task *, const struct config *, const char *version_id);

/* A text within so many bytes, cut between two characters. */
const char *embed_cut(struct arena *, const char *text, size_t most);

/* The job embed_version: embed_everywhere(), later. */
int embed_job(struct task *, const struct config *, const char *version_id);
void embed_job_failed(struct task *, const struct config *, const char *version_id, const char *reason);
/* The job embed_check: enqueue the former for versions behind this one, and later itself; in the end delete what is
 * wanted no more. */
int embed_check(struct task *, const struct config *, const char *after);
void embed_check_failed(struct task *, const struct config *, const char *after, const char *reason);
/* A process starts with these settings.  -1 when the database could not be told. */
int embed_note(const struct config *);

#endif
