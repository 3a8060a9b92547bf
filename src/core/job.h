/* SPDX-License-Identifier: ISC
 * Work that outlasts its request: rows of exedra.job, taken by a thread of each worker process, by some more while that
 * is at something slow, or by `exedractl work`. */
#ifndef EXEDRA_JOB_H
#define EXEDRA_JOB_H

#include "base/config.h"
#include "base/task.h"

/* A kind of job; -1 with the reason in the task: 503 and 5xx are tried again, anything else is final. */
struct job_kind {
	const char *name;
	int (*run)(struct task *, const struct config *, const char *subject);
	/* It has failed for good. */
	void (*give_up)(struct task *, const struct config *, const char *subject, const char *reason);
};

/* Have something done soon, in the task's tenant; a thread of this process looks for it at once. */
int job_enqueue(struct task *, const char *kind, const char *subject);
/* A job was enqueued in some other way: have a thread of this process look at once. */
void job_stir(void);
/* Do what is due: at most `most` jobs, none begun after so many seconds.  How many were done; -1 when the database
 * does not say what is due. */
int job_work(const struct config *, int most, int seconds);

/* Upkeep, once a second: one more thread where all are at slow jobs; how many wait, for the metrics. */
void job_tick(void);
/* In a worker process: the threads.  job_stop() lets the jobs under way go on elsewhere, later. */
void job_start(const struct config *);
void job_stop(void);

#endif
