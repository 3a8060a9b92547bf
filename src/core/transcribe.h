/* SPDX-License-Identifier: ISC
 * Recordings become text: a service of models listens to them. */
#ifndef EXEDRA_TRANSCRIBE_H
#define EXEDRA_TRANSCRIBE_H

#include "base/config.h"
#include "base/str.h"
#include "base/task.h"
#include "llm/service.h"

struct recording {
	int fd;           /* its bytes, from the beginning */
	const char *kind; /* its MIME type, as its content or its sender says; NULL: not known */
	const char *name; /* what it is called, for who knows no kind; NULL: nothing */
	/* What else the service is told; NULL: nothing. */
	const char *format; /* of the answer; NULL: json */
	const char *language, *prompt, *temperature;
	const char *granularities[2]; /* words, segments, or both */
};

struct transcript {
	const char *text; /* of the format asked for, valid UTF-8 without NUL; of json only what was said */
	size_t len;
	const char *type;    /* MIME type of the answer */
	int64_t heard, said; /* tokens, as the service counted or as they are estimated */
	bool counted;        /* they are the service's */
};

/* The service for the task's tenant.  1; 0 when there is none; -1 with the reason in the task. */
int transcribe_choose(struct task *, const struct config *, struct service_setup *);
/* Have it listen.  Memory in the arena.  -1 with the reason in the task: a 422 with file_audio where nobody
 * transcribes, a 413 for what is too large, service_....  Nothing may have been said. */
int transcribe(struct task *, const struct config *, const struct recording *, struct arena *, struct transcript *);

/* The kinds that are transcribed, as extract_kinds() has them. */
extern const char transcribe_kinds[];

#endif
