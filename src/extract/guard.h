/* SPDX-License-Identifier: ISC
 * The parent's side: it starts sealed processes, hands on what they print, watches the clock, and says in words what
 * ended them.  It never looks into the file itself. */
#ifndef EXEDRA_EXTRACT_GUARD_H
#define EXEDRA_EXTRACT_GUARD_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "extract/job.h"

enum role {
	READER, /* leaves a finding; what it returns from is whole */
	FEEDER, /* works for one that reads what it prints, and may stop to */
	TOOL,   /* the same, and is another's program */
};

struct guarded {
	enum role role;
	const char *name; /* of the tool */
	pid_t pid;
	int status;
	struct rusage usage;
};

/* Once, before the first is started. */
void guard_begin(void);
/* Start work in a process of its own with these descriptors 0 and 1 and no others (2 is /dev/null).  The work shuts
 * itself in; what it returns from is whole. */
void guard_start(struct guarded *, void (*work)(void), int in, int out);
/* Hand on what comes from the descriptor (-1: nothing) until the processes have ended.  Returns what is to be said of
 * them together, WHOLE if all went well; the message is in the finding.  Time in which nobody took the text does not
 * count. */
enum refusal guard_wait(struct guarded *, int n, int from);

#endif
