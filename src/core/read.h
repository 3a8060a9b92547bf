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
	struct document *documents; /* out */
	int n_documents;
};

/* Read a stored file (its bytes in file->fd) into documents, and settle it.  One that was read before under the same
 * name is not read again.  -1 with the reason in the task; the file is left as it was, without documents. */
int read_file(struct task *, const struct config *, struct file *, struct reading *);

/* The job read_file: of an uploaded file, by its id. */
int read_job(struct task *, const struct config *, const char *file_id);
void read_job_failed(struct task *, const struct config *, const char *file_id, const char *reason);

/* Put all documents of a file that has been read into a workspace. */
int read_place(struct task *, const struct config *, const char *workspace_id, const char *file_id);

/* M/D/YYYY, h:mm:ss AM, in UTC: how documents say when. */
const char *read_time(struct arena *, time_t);

#endif
