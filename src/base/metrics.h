/* SPDX-License-Identifier: ISC
 * What the pool counts: numbers in memory that master and workers share, in pages of its own for each worker, which
 * outlive it; they are added up when somebody asks.  To count something more: a name here, its line in the table of
 * metrics.c, a call where it happens, an entry in exedra(8). */
#ifndef EXEDRA_METRICS_H
#define EXEDRA_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum metric {
	METRIC_BUILD,
	METRIC_START_TIME,
	METRIC_WORKERS,
	METRIC_WORKER_RESTARTS,
	METRIC_THREADS_BUSY,
	METRIC_THREADS_MOST,
	METRIC_REQUESTS,
	METRIC_REQUEST_TIME,
	METRIC_STREAMS,
	METRIC_STREAMS_MOST,
	METRIC_CHATS_OPEN,
	METRIC_CHATS,
	METRIC_TOKENS,
	METRIC_ATTEMPTS,
	METRIC_ATTEMPT_ENDS,
	METRIC_PROVIDER_ERRORS,
	METRIC_FIRST_BYTE,
	METRIC_DOCUMENTS,
	METRIC_DOCUMENT_FAILURES,
	METRIC_EXTRACTIONS,
	METRIC_EXTRACTION_TIME,
	METRIC_JOBS,
	METRIC_JOBS_RUNNING,
	METRIC_JOBS_WAITING,
	METRIC_DB_OPEN,
	METRIC_DB_IN_USE,
	METRIC_DB_MOST,
	METRIC_DB_WAITING,
	METRIC_DB_WAIT,
	METRIC_DB_TRANSACTIONS,
	METRIC_DB_SHARED,
	N_METRICS
};

/* What the numbers of a metric are told apart by.  Each label has a bounded set of values, and callers name a value by
 * its place in it. */
enum metrics_label {
	NO_LABEL,        /* place 0 */
	LABEL_VERSION,   /* place 0 */
	LABEL_ROUTE,     /* method and pattern; 0: none, else 1 and the row's place in the table of routes */
	LABEL_STATUS,    /* metrics_status() */
	LABEL_PROVIDER,  /* provider, and what it was called for: metrics_provider() */
	LABEL_END,       /* enum http_end, or METRICS_REFUSED */
	LABEL_CODE,      /* of a call to a provider that failed; by name */
	LABEL_DIRECTION, /* METRICS_IN, METRICS_OUT */
	LABEL_OUTCOME,   /* of a chat; by name: its state */
	LABEL_STATE,     /* METRICS_SERVING, METRICS_DRAINING */
	LABEL_REASON,    /* why a document was not stored; by the code of the failure */
	LABEL_EXTRACTED, /* of a run of the program that reads files; by name: done, or the code of the failure */
	LABEL_KIND,      /* of a job; by name */
	LABEL_JOB_END,   /* METRICS_JOB_DONE ... */
	N_LABELS
};

enum { METRICS_WORKERS = 1024 }; /* of all generations at once */
enum { METRICS_REFUSED = 11 };
enum { METRICS_IN, METRICS_OUT };
enum { METRICS_SERVING, METRICS_DRAINING };
enum { METRICS_JOB_DONE, METRICS_JOB_AGAIN, METRICS_JOB_FAILED };
enum metrics_call { METRICS_CHAT, METRICS_EMBEDDING, METRICS_SERVICE, METRICS_CALLS };

/* In the master, before the first fork: shared memory for so many routes, all numbers 0.  -1 without memory.  Where it
 * was not called, as in CGI, nothing is counted. */
int metrics_open(int n_routes);
/* In a worker, before anything else: its pages are those of this place, 0 .. METRICS_WORKERS - 1, which no other has.
 */
void metrics_take(int place);
/* In the master: the worker of this place is gone.  What it counted stays; what it held is held no more. */
void metrics_bury(int place);
/* Is anything counted here? */
bool metrics_counted(void);

/* More of a counter, or more or less of a gauge; first and second are places of the labels that its line in the table
 * has.  All of these are some relaxed atomic instructions on memory that no other process writes. */
void metrics_add(enum metric, int first, int second, int64_t n);
/* What a gauge of this worker stands at. */
void metrics_set(enum metric, int first, int64_t value);
/* What a gauge stands at that is the same for all workers, whoever has looked. */
void metrics_set_shared(enum metric, int first, int64_t value);
/* Is it this worker's turn to look?  True for one of them, once in so many seconds. */
bool metrics_turn(int seconds);
/* So long did it take. */
void metrics_observe(enum metric, int first, int64_t us);

/* The place of a value that goes by its name; the last one of a label stands for all that it does not know. */
int metrics_place(enum metrics_label, const char *name);
/* The first 16 names of providers get places of their own. */
int metrics_provider(const char *name, enum metrics_call);
int metrics_status(int status);

/* Append all, in Prometheus' text format 0.0.4.  `route` tells method and pattern of a place of LABEL_ROUTE. */
void metrics_write(struct str *, void (*route)(int place, const char **method, const char **pattern));

#endif
