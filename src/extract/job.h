/* SPDX-License-Identifier: ISC
 * One file on its way through the program: what the caller asked for, and the page of memory in which the sealed
 * processes leave their finding.  The page is written by processes that have read a stranger's file: what stands in it
 * is looked at twice. */
#ifndef EXEDRA_EXTRACT_JOB_H
#define EXEDRA_EXTRACT_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/arena.h"

/* Why there is no text.  refusal_code() has their names. */
enum refusal {
	WHOLE, /* there is */
	FILE_EMPTY,
	FILE_UNKNOWN_KIND,
	FILE_BROKEN,
	FILE_ENCRYPTED,
	FILE_TOO_LARGE,  /* its text is, or what it unpacks to */
	FILE_TOO_SLOW,   /* time or CPU */
	FILE_TOO_HUNGRY, /* memory */
	FILE_NO_TEXT,
	FILE_TOOL_MISSING,
	FILE_AUDIO, /* for the caller to transcribe */
	INPUT_UNREADABLE,
	OUTPUT_GONE,
	SANDBOX_MISSING,
	N_REFUSALS
};

/* The stable name of one, "file_empty". */
const char *refusal_code(enum refusal);

/* What the processes share. */
struct finding {
	int refusal;       /* enum refusal */
	int whole;         /* 1 once the work was done to its end */
	int starved;       /* 1 once memory was refused to it */
	char message[200]; /* for people; a sentence */
	char mime[80];     /* the kind, as far as it is known */
	int kind;          /* an index into kinds[] (kind.h) */
	char charset[48];  /* of a text: what iconv calls it; "" = not known */
};

struct job {
	const char *name; /* what the file is called, or NULL */
	const char *type; /* what somebody says it is, or NULL */
	const char *ocr;  /* the languages of images, as tesseract calls them */
	bool parts;       /* say where sheets and mails begin */
	uint64_t max_bytes;
	int max_seconds;
	uint64_t max_memory; /* bytes */
	struct timespec deadline;
	int64_t input_bytes; /* of the file on descriptor 0 */
	struct finding *finding;
	bool shut_in; /* this process is one of those that read the file */
};

/* The job of this process: it has one, from its start to its end. */
extern struct job job;

/* Leave: the work of a sealed process is over.  The message is a sentence for whoever sent the file. */
_Noreturn void refuse(enum refusal, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A new arena, for arena_free() when a step of the work is over; without memory the work is. */
struct arena *job_arena(void);

#endif
