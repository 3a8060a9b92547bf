/* SPDX-License-Identifier: ISC */
#include "core/job.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/metrics.h"
#include "core/embed.h"
#include "core/read.h"
#include "core/retain.h"
#include "core/segment.h"
#include "core/worker_id.h"
#include "store/db.h"

enum {
	LOOK_S = 2,        /* between two looks for jobs that others have left */
	MAX_TRIES = 5,     /* of a job that fails for a reason that may pass */
	FIRST_PAUSE_S = 5, /* before the second try; twice as long before each further one */
	COUNT_S = 2,       /* between two counts of those that wait */
	MAX_HANDS = 4,     /* threads at work on jobs; exedra.claim_job() gives one tenant all but one */
	SLOW_S = 5,        /* a job that takes longer has another thread begin the next */
};

static const struct job_kind kinds[] = {
	{"read_file", read_job, read_job_failed},
	{"embed_version", embed_job, embed_job_failed},
	{"embed_check", embed_check, embed_check_failed},
	{"merge_words", segment_merge, segment_merge_failed},
	{"retain", retain_job, retain_job_failed},
};

/* A thread that does jobs.  The first stays; the others come while all before them are at slow jobs, a recording that
 * is being transcribed say, and go when nothing is left to do. */
struct hand {
	bool hired;
	struct task *task; /* of the job under way, begun then */
	int64_t began_ms;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t stirred, left;
	const struct config *config;
	bool stopping, asked;
	struct hand hands[MAX_HANDS];
	int n_hired;
} worker = {.lock = PTHREAD_MUTEX_INITIALIZER, .stirred = PTHREAD_COND_INITIALIZER, .left = PTHREAD_COND_INITIALIZER};

void job_stir(void)
{
	pthread_mutex_lock(&worker.lock);
	worker.asked = true;
	pthread_cond_signal(&worker.stirred);
	pthread_mutex_unlock(&worker.lock);
}

int job_enqueue(struct task *task, const char *kind, const char *subject)
{
	if (db_rows(task, &sql_job_enqueue, ARGS(kind, subject)) == NULL)
		return -1;
	job_stir();
	return 0;
}

static const struct job_kind *find_kind(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

/* A job under way. */
struct running {
	struct task *task;
	const struct config *config;
	const struct job_kind *kind;
	const char *subject;
};

static int run(void *arg)
{
	const struct running *job = arg;

	return job->kind->run(job->task, job->config, job->subject);
}

/* What is the server's own and passes: the job is not to blame, and waits for as long as it lasts. */
static bool is_servers(const struct failure *failure)
{
	return failure->status == 503 &&
	       (strncmp(failure->code, "database_", 9) == 0 || strcmp(failure->code, "extract_missing") == 0 ||
		       strcmp(failure->code, "disk") == 0 || strcmp(failure->code, "memory") == 0 ||
		       strcmp(failure->code, "busy") == 0 || strcmp(failure->code, "server_ending") == 0);
}

/* Say what became of it.  A reason that may pass is tried again, a few times. */
static void end_job(
	struct task *task, const struct config *config, const struct job_kind *kind, PGresult *job, int result)
{
	struct task last = {.arena = task->arena, .id = task->id, .gone_fd = -1};
	const char *reason = result == 0 ? NULL : task->failure.message;
	int tries = (int)db_int(job, 0, "tries");
	bool servers = result != 0 && is_servers(&task->failure);
	bool again = servers || (result != 0 && task->failure.status >= 500 && tries < MAX_TRIES);
	/* 0: exedra.end_job() does not count the try, and finds a pause itself. */
	int pause_s = servers || !again ? 0 : FIRST_PAUSE_S << (tries - 1);

	metrics_add(METRIC_JOBS, metrics_place(LABEL_KIND, kind->name),
		result == 0 ? METRICS_JOB_DONE
		: again     ? METRICS_JOB_AGAIN
			    : METRICS_JOB_FAILED,
		1);
	if (result != 0)
		log_event(LOG_WARNING, task, "job_failed", "job=%s kind=%s try=%d code=%s", db_text(job, 0, "job_id"),
			kind->name, tries, task->failure.code);
	if (result != 0 && !again) {
		struct task telling = task_within(task, task->arena);

		fail_clear(&telling);
		kind->give_up(&telling, config, db_text(job, 0, "subject_id"), reason);
	}
	db_rows(&last, &sql_job_end,
		ARGS(db_text(job, 0, "job_id"), db_text(job, 0, "ticket"), reason,
			again ? db_int_arg(task->arena, pause_s) : NULL));
}

static void set_task(struct hand *hand, struct task *task)
{
	if (hand == NULL)
		return;
	pthread_mutex_lock(&worker.lock);
	hand->task = task;
	hand->began_ms = clock_ms();
	/* Who came too late to stop it. */
	if (task != NULL && worker.stopping)
		http_stop_task(task, STOP_ENDING);
	pthread_mutex_unlock(&worker.lock);
}

/* Take one and do it: 1; 0 when there is none, -1 when the database does not say. */
static int work_once(const struct config *config, struct arena *arena, struct hand *hand)
{
	struct task task = {.arena = arena, .id = "job", .gone_fd = -1};
	PGresult *job = db_rows(&task, &sql_job_claim, ARGS(worker_id()));
	const struct job_kind *kind;
	struct running running;

	if (job == NULL || PQntuples(job) == 0)
		return job == NULL ? -1 : 0;
	kind = find_kind(db_text(job, 0, "kind"));
	if (kind == NULL) {
		log_event(LOG_ERROR, &task, "job_unknown", "kind=%s", db_text(job, 0, "kind"));
		return 1; /* it stays with us until we end: a newer program's job */
	}
	task.identity = (struct identity){.entry = ENTER_BY_JOB,
		.job_id = db_text(job, 0, "job_id"),
		.ticket = db_text(job, 0, "ticket"),
		.tenant_id = db_int(job, 0, "tenant_id"),
		.role = ADMIN};
	task.id = arena_printf(arena, "job-%s", db_text(job, 0, "job_id"));
	set_task(hand, &task);
	metrics_add(METRIC_JOBS_RUNNING, metrics_place(LABEL_KIND, kind->name), 0, 1);
	running = (struct running){&task, config, kind, db_text(job, 0, "subject_id")};
	end_job(&task, config, kind, job, task_attempt(&task, run, &running));
	metrics_add(METRIC_JOBS_RUNNING, metrics_place(LABEL_KIND, kind->name), 0, -1);
	set_task(hand, NULL);
	return 1;
}

static int work(const struct config *config, int most, int seconds, struct hand *hand)
{
	int64_t deadline_ms = clock_ms() + seconds * 1000;
	struct arena *arena = arena_new();
	int n = 0, did = arena == NULL ? -1 : 1;

	while (did > 0 && n < most && clock_ms() < deadline_ms && (did = work_once(config, arena, hand)) > 0) {
		n++;
		arena_empty(arena);
	}
	if (arena != NULL)
		arena_free(arena);
	return did < 0 ? -1 : n;
}

int job_work(const struct config *config, int most, int seconds)
{
	return work(config, most, seconds, NULL);
}

/* Wait until something is asked for, or it is time to look. */
static void wait_for_work(void)
{
	int64_t until_ms = clock_ms() + LOOK_S * 1000;
	struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};

	pthread_mutex_lock(&worker.lock);
	while (!worker.stopping && !worker.asked)
		if (pthread_cond_clockwait(&worker.stirred, &worker.lock, CLOCK_MONOTONIC, &until) != 0)
			break;
	worker.asked = false;
	pthread_mutex_unlock(&worker.lock);
}

static bool is_stopping(void)
{
	bool stopping;

	pthread_mutex_lock(&worker.lock);
	stopping = worker.stopping;
	pthread_mutex_unlock(&worker.lock);
	return stopping;
}

static void leave(struct hand *hand)
{
	pthread_mutex_lock(&worker.lock);
	hand->hired = false;
	worker.n_hired--;
	pthread_cond_signal(&worker.left);
	pthread_mutex_unlock(&worker.lock);
}

static void *thread_main(void *thing)
{
	struct hand *hand = thing;
	bool noted = hand != worker.hands;

	while (!is_stopping()) {
		noted = noted || embed_note(worker.config) == 0;
		if (work(worker.config, 1, 1, hand) > 0)
			continue;
		if (hand != worker.hands)
			break;
		wait_for_work();
	}
	leave(hand);
	return NULL;
}

/* With the lock held. */
static void hire(struct hand *hand)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	hand->hired = pthread_create(&thread, &attributes, thread_main, hand) == 0;
	pthread_attr_destroy(&attributes);
	if (!hand->hired)
		log_event(LOG_WARNING, NULL, "thread_refused", "thread=job");
	worker.n_hired += hand->hired;
}

/* Slow jobs hold up the others no longer than this. */
static void relieve(void)
{
	struct hand *hand, *vacant = NULL;
	bool all_slow = true;

	pthread_mutex_lock(&worker.lock);
	for (hand = worker.hands; hand < worker.hands + MAX_HANDS; hand++)
		if (!hand->hired)
			vacant = hand;
		else if (hand->task == NULL || clock_ms() - hand->began_ms < SLOW_S * 1000)
			all_slow = false;
	/* The first may have been refused its thread. */
	if (!worker.hands[0].hired)
		vacant = worker.hands;
	if ((vacant == worker.hands || all_slow) && vacant != NULL && !worker.stopping)
		hire(vacant);
	pthread_mutex_unlock(&worker.lock);
}

static void count_waiting(void)
{
	struct task task;
	int64_t n[sizeof(kinds) / sizeof(kinds[0])] = {0};
	PGresult *rows;
	size_t i;
	int row;

	if (!metrics_turn(COUNT_S) || (task = task_upkeep(2000)).arena == NULL)
		return;
	rows = db_rows(&task, &sql_job_waiting, NO_ARGS);
	for (row = 0; rows != NULL && row < PQntuples(rows); row++)
		for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (strcmp(db_text(rows, row, "kind"), kinds[i].name) == 0)
				n[i] = db_int(rows, row, "n");
	for (i = 0; rows != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		metrics_set_shared(METRIC_JOBS_WAITING, metrics_place(LABEL_KIND, kinds[i].name), n[i]);
	arena_free(task.arena);
}

void job_tick(void)
{
	relieve();
	count_waiting();
}

void job_start(const struct config *config)
{
	pthread_mutex_lock(&worker.lock);
	worker.config = config;
	hire(&worker.hands[0]);
	pthread_mutex_unlock(&worker.lock);
}

void job_stop(void)
{
	struct hand *hand;

	pthread_mutex_lock(&worker.lock);
	worker.stopping = true;
	for (hand = worker.hands; hand < worker.hands + MAX_HANDS; hand++)
		if (hand->task != NULL)
			http_stop_task(hand->task, STOP_ENDING);
	pthread_cond_signal(&worker.stirred);
	while (worker.n_hired > 0)
		pthread_cond_wait(&worker.left, &worker.lock);
	pthread_mutex_unlock(&worker.lock);
}
