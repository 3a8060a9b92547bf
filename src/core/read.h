/* SPDX-License-Identifier: ISC
 * A file is read: one document or several, with what a client or the file itself says of them. */
#ifndef EXEDRA_READ_H
#define EXEDRA_READ_H

#include <time.h>

#include "base/config.h"
#include "core/file.h"
#include "core/ingest.h"

/* What the client says; NULL: the file's own word, or what stands for none. */
struct reading {
	const char *folder; /* NULL: custom-documents, or for a workbook a folder of its own */
	const char *title, *author, *description, *source, *chunk_source, *external_id, *url;
	const char *stem;           /* what the documents' names begin with; NULL: the file's name as a slug */
	const char *label;          /* what stands for a title where there is none; NULL: the file's name */
	bool link;                  /* it was fetched */
	bool awaited;               /* by others, who get its documents before it is called read */
	struct document *documents; /* out */
	int n_documents;
};

/* Read a stored file (its bytes in file->fd) into documents, and settle it.  When the same bytes under the same name
 * and title have been read before, they are not read again: the documents share those texts, and their `text` is NULL.
 * -1 with the reason in the task; the file is left as it was, without documents. */
int read_file(struct task *, const struct config *, struct file *, struct reading *);
/* Read a file (its bytes in file->fd, its uuid a new one) into documents with their texts; nothing of it is stored.  -1
 * with the reason in the task. */
int read_passing(struct task *, const struct config *, struct file *, struct reading *);
/* Fetch the texts of such documents; they are mapped. */
int read_texts(struct task *, struct document *, int n);

/* Have a stored file read by a job, by its id: it is pending from now on. */
int read_later(struct task *, const char *file_id);
/* The job read_file: of an uploaded file, by its id. */
int read_job(struct task *, const struct config *, const char *file_id);
void read_job_failed(struct task *, const struct config *, const char *file_id, const char *reason);

/* Put all documents of a file that has been read into a workspace. */
int read_place(struct task *, const struct config *, const char *workspace_id, const char *file_id);
/* The same, unless another file's document there has the same text: a 400, file_duplicate. */
int read_place_once(struct task *, const struct config *, const char *workspace_id, const char *file_id);

/* M/D/YYYY, h:mm:ss AM, in UTC: how documents say when. */
const char *read_time(struct arena *, time_t);

#endif
