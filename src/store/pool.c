/* SPDX-License-Identifier: ISC */
#include "store/pool.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

enum {
	CALLERS = 256,  /* that are told apart by a byte: two may share their turns */
	FULL_MS = 1000, /* before one more connection is tried where the server has refused one */
};

static struct {
	pthread_mutex_t lock;
	struct rider *first, **last; /* who waits, by their places */
	int64_t last_place;          /* of the one that was last of all when it came */
	int64_t front;               /* the place of the one that had its turn last */
	int n_waiting[CALLERS];
	struct conn *idle;
	int64_t full_until_ms; /* the server has refused one more: until then those that there are must do */
	int n_shared;          /* connections at work for who would share them */
	bool bulk;             /* large work has its connection */
	pthread_cond_t bulk_done;
	int n_open;
	const struct config *config;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .last = &pool.first, .bulk_done = PTHREAD_COND_INITIALIZER};

void pool_open(const struct config *config)
{
	pool.config = config;
	metrics_set(METRIC_DB_MOST, 0, config->db_pool);
}

const struct config *pool_config(void)
{
	return pool.config;
}

/* With the lock held: how many there are, and so many more or less at work. */
static void count(int in_use)
{
	metrics_set(METRIC_DB_OPEN, 0, pool.n_open);
	metrics_add(METRIC_DB_IN_USE, 0, 0, in_use);
}

void pool_close(void)
{
	struct conn *conn;

	pthread_mutex_lock(&pool.lock);
	while ((conn = pool.idle) != NULL) {
		pool.idle = conn->next;
		pool.n_open--;
		conn_free(conn);
	}
	count(0);
	pthread_mutex_unlock(&pool.lock);
}

/* Keys and embeds, before it is known whose they are; then tenants. */
static unsigned char caller_of(const struct identity *who)
{
	unsigned char sum = 0;
	const char *at;

	if (who->entry == ENTER_BY_KEY)
		return who->key_hash[0];
	if (who->entry != ENTER_BY_EMBED)
		return (unsigned char)who->tenant_id;
	for (at = who->embed; *at != '\0'; at++)
		sum = (unsigned char)(sum * 31 + (unsigned char)*at);
	return sum;
}

/* With the lock held, as the next four.  Callers take turns, however many requests each has here: one stands as many
 * places behind the one that had its turn last as its caller has others waiting. */
static void queue_join(struct rider *rider)
{
	struct rider **at = pool.last;

	rider->place = pool.front + 1 + pool.n_waiting[rider->who]++;
	if (rider->place < pool.last_place)
		for (at = &pool.first; *at != NULL && (*at)->place <= rider->place; at = &(*at)->next)
			;
	rider->next = *at;
	*at = rider;
	if (rider->next != NULL)
		return;
	pool.last = &rider->next;
	pool.last_place = rider->place;
}

static void note_turn(const struct rider *rider)
{
	if (rider->place > pool.front)
		pool.front = rider->place;
}

static void queue_leave(struct rider *rider)
{
	struct rider **at;

	for (at = &pool.first; *at != rider; at = &(*at)->next)
		;
	*at = rider->next;
	if (pool.last == &rider->next)
		pool.last = at;
	pool.n_waiting[rider->who]--;
}

/* Who would share a transaction may hold three quarters of the connections: those who come meanwhile have a common one
 * soon, which costs less than more at a time (seen: 2,750 chats/s against 2,500), and other work finds one. */
static bool free_for(const struct rider *rider)
{
	return (pool.idle != NULL || (pool.n_open < pool.config->db_pool && clock_ms() >= pool.full_until_ms)) &&
	       (!rider->willing || pool.n_shared < (pool.config->db_pool * 3 + 3) / 4);
}

/* A connection or a place for one is free: the first who waits and may have it is to look. */
static void wake_first(void)
{
	struct rider *rider = pool.first;

	while (rider != NULL && !free_for(rider))
		rider = rider->next;
	if (rider == NULL)
		return;
	__atomic_add_fetch(&rider->n_calls, 1, __ATOMIC_RELAXED);
	sem_post(&rider->woken);
}

static bool let_off(struct rider *self, int n_woken)
{
	self->done = n_woken > __atomic_load_n(&self->n_calls, __ATOMIC_RELAXED);
	return self->done;
}

/* With the lock held, as after it, unless the rider is done: somebody else has done its work. */
static void wait_in_queue(struct rider *self, int64_t deadline_ms)
{
	int n_woken = 0;
	bool in_time = true;

	queue_join(self);
	do {
		/* Once taken along it is let off in any case: the time of who did so is limited too. */
		bool for_ever = self->taken;

		/* Without the lock: nobody who is woken should have to wait for it again. */
		pthread_mutex_unlock(&pool.lock);
		in_time = clock_wait(&self->woken, for_ever ? 0 : deadline_ms);
		n_woken += in_time;
		if (let_off(self, n_woken))
			return;
		pthread_mutex_lock(&pool.lock);
	} while (self->taken || (in_time && !free_for(self)));
	queue_leave(self);
}

static void wait_for_turn(struct rider *self, int64_t deadline_ms)
{
	int64_t began_us = clock_us();

	metrics_add(METRIC_DB_WAITING, 0, 0, 1);
	wait_in_queue(self, deadline_ms);
	metrics_add(METRIC_DB_WAITING, 0, 0, -1);
	metrics_observe(METRIC_DB_WAIT, 0, clock_us() - began_us);
}

/* Take from the free list, or a place for a new one (*fresh), waiting for either.  Whoever comes while one is free need
 * not wait for those that are only being woken. */
static struct conn *wait_for_one(int64_t deadline_ms, struct rider *self, bool *fresh)
{
	struct conn *conn = NULL;

	*fresh = false;
	pthread_mutex_lock(&pool.lock);
	if (!free_for(self))
		wait_for_turn(self, deadline_ms);
	if (self->done)
		return NULL;
	if (free_for(self)) {
		conn = pool.idle;
		*fresh = conn == NULL;
		if (conn != NULL)
			pool.idle = conn->next;
		pool.n_open += *fresh;
		pool.n_shared += self->willing;
		note_turn(self);
		count(1);
	}
	wake_first();
	pthread_mutex_unlock(&pool.lock);
	return conn;
}

static void forget_place(bool shared)
{
	pthread_mutex_lock(&pool.lock);
	pool.n_open--;
	pool.n_shared -= shared;
	if (pool.n_open == 0)
		pool.full_until_ms = 0;
	count(-1);
	wake_first();
	pthread_mutex_unlock(&pool.lock);
}

/* Where the server says at once that it takes no more connections, though it has others of ours, those must do for a
 * moment. */
static bool others_do(int64_t began_ms)
{
	bool some;

	pthread_mutex_lock(&pool.lock);
	some = pool.n_open > 0 && clock_ms() - began_ms < FULL_MS;
	if (some)
		pool.full_until_ms = clock_ms() + FULL_MS;
	pthread_mutex_unlock(&pool.lock);
	return some;
}

/* One has been lost: idle ones may have been too, and would keep their descriptors until somebody took them. */
static void drop_lost(void)
{
	struct conn **at = &pool.idle, *conn, *lost = NULL;

	pthread_mutex_lock(&pool.lock);
	while ((conn = *at) != NULL) {
		if (conn_alive(conn)) {
			at = &conn->next;
			continue;
		}
		*at = conn->next;
		conn->next = lost;
		lost = conn;
		pool.n_open--;
	}
	count(0);
	pthread_mutex_unlock(&pool.lock);
	while ((conn = lost) != NULL) {
		lost = conn->next;
		conn_free(conn);
	}
}

static int unavailable(struct task *task)
{
	fail(task, 503, "database_unavailable", "The database cannot be reached at the moment.");
	task->failure.retry_after_s = 5;
	return -1;
}

/* Uploads and exports wait for each other, so that they take one connection and not all. */
static int enter_bulk(struct task *task, int64_t deadline_ms)
{
	struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
	int waited = 0;
	bool free_now;

	if (!task->bulk)
		return 0;
	pthread_mutex_lock(&pool.lock);
	while (pool.bulk && waited != ETIMEDOUT)
		waited = pthread_cond_clockwait(&pool.bulk_done, &pool.lock, CLOCK_MONOTONIC, &until);
	free_now = !pool.bulk;
	pool.bulk = true;
	pthread_mutex_unlock(&pool.lock);
	return free_now ? 0 : unavailable(task);
}

static void leave_bulk(const struct task *task)
{
	if (!task->bulk)
		return;
	pthread_mutex_lock(&pool.lock);
	pool.bulk = false;
	pthread_cond_signal(&pool.bulk_done);
	pthread_mutex_unlock(&pool.lock);
}

/* One that works, or none: *again says that others are there, which are to be waited for. */
static struct conn *make_good(struct task *task, struct conn *conn, int64_t deadline_ms, bool shared, bool *again)
{
	int64_t began_ms = clock_ms();

	*again = false;
	if (conn != NULL && !conn_alive(conn)) {
		conn_free(conn);
		conn = NULL;
		drop_lost();
	}
	if (conn == NULL && (conn = conn_open(task, pool.config, deadline_ms)) == NULL) {
		forget_place(shared);
		*again = task->failure.status == 0 && others_do(began_ms);
	}
	return conn;
}

struct conn *pool_take(struct task *task, int64_t deadline_ms, struct rider *rider)
{
	struct rider alone = {.n_calls = 0}, *self = rider != NULL ? rider : &alone;
	struct conn *conn = NULL;
	bool fresh = false, again = true;

	self->willing = rider != NULL;
	self->who = caller_of(&task->identity);
	if (enter_bulk(task, deadline_ms) < 0)
		return NULL;
	while (conn == NULL && again) {
		sem_init(&self->woken, 0, 0);
		self->n_calls = 0;
		conn = wait_for_one(deadline_ms, self, &fresh);
		if (self->done)
			return NULL;
		if (conn == NULL && !fresh) {
			log_event(LOG_WARNING, task, "database_busy", "pool=%d", pool.config->db_pool);
			break;
		}
		conn = make_good(task, conn, deadline_ms, self->willing, &again);
	}
	if (conn == NULL) {
		leave_bulk(task);
		unavailable(task);
		return NULL;
	}
	conn->broken = false;
	conn->shared = self->willing;
	return conn;
}

void pool_give(struct task *task, struct conn *conn)
{
	leave_bulk(task);
	if (conn->broken) {
		forget_place(conn->shared);
		conn_free(conn);
		drop_lost();
		return;
	}
	pthread_mutex_lock(&pool.lock);
	conn->next = pool.idle;
	pool.idle = conn;
	pool.n_shared -= conn->shared;
	count(-1);
	wake_first();
	pthread_mutex_unlock(&pool.lock);
}

struct rider *pool_riders(int most)
{
	struct rider *list = NULL, **end = &list, **at = &pool.first, *rider;

	pthread_mutex_lock(&pool.lock);
	while ((rider = *at) != NULL && most > 0) {
		if (!rider->willing) {
			at = &rider->next;
			continue;
		}
		*at = rider->next;
		if (pool.last == &rider->next)
			pool.last = at;
		pool.n_waiting[rider->who]--;
		note_turn(rider);
		rider->taken = true;
		rider->next = NULL;
		*end = rider;
		end = &rider->next;
		most--;
	}
	wake_first(); /* whoever was told so before may just have been taken along */
	pthread_mutex_unlock(&pool.lock);
	return list;
}

void pool_let_off(struct rider *list)
{
	struct rider *next;

	for (; list != NULL; list = next) {
		next = list->next; /* it is gone as soon as it is woken */
		sem_post(&list->woken);
	}
}
