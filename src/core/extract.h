/* SPDX-License-Identifier: ISC
 * Files become text, in a program of its own (exedra-extract(8)): what a stranger's file does there, it does there.
 * Sound and film are transcribed. */
#ifndef EXEDRA_EXTRACT_H
#define EXEDRA_EXTRACT_H

#include "base/config.h"
#include "base/task.h"

/* A document in a file: most have one, a workbook has its sheets, a mailbox its mails. */
struct extract_part {
	const char *title, *author, *published; /* as the file says; NULL: it does not */
	const char *text;                       /* valid UTF-8 without NUL, mapped */
	size_t len;
};

struct extracted {
	const char *kind;                                     /* its MIME type, as its content says */
	const char *title, *author, *description, *published; /* NULL: not known */
	struct extract_part *parts;
	int n_parts; /* at least 1 */
};

/* How many files this process has read at the same time.  Set once, before the first. */
void extract_limit(int most);
/* Read a file (its descriptor, from the beginning).  Everything belongs to the task's arena.  -1 with the reason in the
 * task: a 422 with a code file_..., a 503 when it cannot be tried, or what transcribe() says. */
int extract_file(struct task *, const struct config *, int fd, const char *name, const char *type, struct extracted *);
/* What it can read here: a line for each kind, its MIME type, a tab, its extensions with a space between; asked for
 * once a process.  NULL with a 503 in the task when it cannot be asked. */
const char *extract_kinds(struct task *, const struct config *);

#endif
