/* SPDX-License-Identifier: ISC
 * A task is one piece of work on its way through the floors: a request, a job, an administrator's command.
 * It carries the memory, the failure and the identity, so that lower floors need to know nothing of a web. */
#ifndef EXEDRA_TASK_H
#define EXEDRA_TASK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/* Least roles, as rows of the route table name them and as exedra.enter() compares them (sql/function/enter.sql).
 * 0 is nobody: a row that forgets to say who may is shut. */
enum role { NOBODY = 0, ANYONE = 1, MEMBER = 10, MANAGER = 20, ADMIN = 30 };

/* default, manager, admin, as callers know them. */
const char *role_name(enum role);

/* Why the task cannot go on.  Set once, by fail(); who answers (a dialect's error form) dresses it. */
struct failure {
	int status;          /* HTTP status; 0 = no failure */
	const char *code;    /* noun_reason, stable, listed in exedra-api(7) */
	const char *message; /* for the caller's eyes: no SQL, path, errno, secret */
	const char *field;   /* the field or parameter that was wrong, or NULL */
	int retry_after_s;   /* 0 = not said */
};

/* How the task's transactions begin, and for whom (store/db.h). */
enum entry {
	ENTER_NOTHING,   /* no tenant: directory functions only */
	ENTER_BY_KEY,    /* exedra.enter(): the holder of a key */
	ENTER_BY_TICKET, /* exedra.resume(): the worker that opened a chat; the key may be gone by now */
	ENTER_BY_JOB,    /* exedra.work_on(): the worker that took a job */
	ENTER_BY_EMBED,  /* exedra.enter_embed(): a visitor of a web page, without a key */
};

struct identity {
	enum entry entry;
	unsigned char key_hash[32]; /* by key: sha256 of its text */
	enum role least;            /* by key: what the caller must at least be */
	bool read_only;             /* by key, by embed: whether the transactions may write nothing */
	const char *tenant_name;    /* by key, by embed: the tenant that the web server named, or NULL */
	const char *group;          /* by key: which routes the caller wants (web/route.h) */
	const char *chat_id;        /* by ticket */
	const char *job_id;         /* by job */
	const char *embed;          /* by embed: its address; stays when the ticket takes over */
	const char *address;        /* the client's, as the web server says; NULL = nobody asks */
	const char *ticket;         /* by ticket, by job: a uuid */
	/* Found by exedra.enter(), known after the first transaction. */
	int64_t tenant_id;  /* 0 = not yet known */
	int64_t account_id; /* 0 = a tenant's own key */
	enum role role;
	bool limited; /* the tenant has limits (core/limit.h) */
};

/* Why work is ended from outside. */
enum stop {
	STOP_NOT,
	STOP_REVOKED, /* who asked may not any more */
	STOP_GONE,    /* what it is about has been deleted */
	STOP_ENDING,  /* the process ends */
};

struct task {
	struct arena *arena;
	const char *id; /* request id: in every log line and answer */
	struct failure failure;
	struct identity identity;
	int gone_fd;        /* readable or hung up when nobody waits for the answer any more; -1 = cannot tell */
	int db_patience_ms; /* how long the database may take; 0 = db.timeout */
	bool bulk;          /* large work: all such work of a process together has one database connection */
	pthread_t thread;   /* with `waits`, for base/http.c only */
	bool waits;         /* a call to another server is under way in it */
	int stop;           /* enum stop, set by http_stop_task(): the work is to end now */
};

/* Note why the task fails; always returns -1, so it can be returned.  The first reason stays: later ones are
 * consequences.  `code` must outlive the task (a literal). */
int fail(struct task *, int status, const char *code, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same, naming the offending field. */
int fail_field(struct task *, int status, const char *code, const char *field, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* Take over why another task failed, whose memory may go first. */
void fail_take(struct task *, const struct task *other);
/* Long work asks now and then whether it is to end (task->stop): 0 to go on, else -1 with the reason. */
int fail_if_stopped(struct task *);
bool task_is_stopped(const struct task *);
/* Forget a failure that has been dealt with. */
void fail_clear(struct task *);

/* The same task with other memory, for a piece of its work: what `stop` says by now stays, and nobody waits in it.  No
 * plain copy will do: another thread may be about to stop the task. */
struct task task_within(const struct task *, struct arena *);
/* One of the program's own, for which nobody waits.  The caller frees its arena, which is NULL when there is no memory.
 */
struct task task_upkeep(int db_patience_ms);
/* Do a piece of the task's work.  Should memory run out in it, it fails like any other, with a 503, and whoever called
 * can clear up.  Returns what the work returns, or -1. */
int task_attempt(struct task *, int (*work)(void *arg), void *arg);

#endif
