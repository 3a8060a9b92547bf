/* SPDX-License-Identifier: ISC
 * Files that are handed in: their bytes on their way into the database, and out of it again. */
#ifndef EXEDRA_FILE_H
#define EXEDRA_FILE_H

#include "base/task.h"

struct file {
	int fd;      /* its bytes, in a file without a name */
	size_t size; /* in bytes */
	unsigned char sha256[32];
	const char *name;      /* a label: no path, at most 255 bytes */
	const char *type;      /* as the client says, or NULL */
	const char *meta;      /* JSON object: what the client says of it; "{}" */
	const char *id, *uuid; /* once it is stored, or known */
};

/* Begin to take a file in.  -1 with a 503 in the task. */
int file_open(struct task *, struct file *);
/* More of its bytes.  -1 with a 413 above `most`, 507 when the disk is full. */
int file_add(struct task *, struct file *, const char *bytes, size_t len, size_t most);
/* Store it with its bytes, which are there whole or not at all.  `state` says what follows: receiving, where the caller
 * reads it at once and nobody is to see it before; stored; pending. */
int file_store(struct task *, struct file *, const char *state);
/* A file that has no bytes of its own: a text.  Nobody sees it before it is settled. */
int file_store_empty(struct task *, struct file *, size_t size);
/* Fetch the bytes of a stored one (id) into a file without a name. */
int file_load(struct task *, struct file *);
/* What became of reading it: done, failed with a reason, pending. */
int file_settle(struct task *, const struct file *, const char *state, const char *reason);
/* Take the documents away that were read in it, before it is done; a failure in the task stays. */
int file_clear(struct task *, const struct file *);
/* Take it away again, with its documents; a failure in the task stays. */
void file_drop(struct task *, const struct file *);
/* A label out of a file name as it was sent: what is behind the last slash, without control characters, at most 255
 * bytes. */
const char *file_label(struct arena *, const char *name);

#endif
