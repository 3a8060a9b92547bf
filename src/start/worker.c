/* SPDX-License-Identifier: ISC
 * One thread at a time waits for a connection (the leader); when it has one, it hands the lead to the one that became
 * idle last, whose stack and memory are still warm, and a new thread is made when none is left.  A thread that has
 * waited long is let go. */
#include "start/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/trust.h"
#include "core/extract.h"
#include "core/ingest.h"
#include "core/job.h"
#include "core/password.h"
#include "core/retain.h"
#include "core/settle.h"
#include "core/watch.h"
#include "core/worker_id.h"
#include "llm/slots.h"
#include "start/graveyard.h"
#include "store/pool.h"
#include "store/secret.h"
#include "store/used.h"
#include "web/dispatch.h"
#include "web/wire.h"

enum {
	SPARE_THREADS = 2,      /* that stay however long they wait */
	IDLE_S = 10,            /* after which others go */
	KEPT_S = 6,             /* for one more request on a kept connection after a reload; nginx gives up after 5 */
	LATE_MS = 2,            /* for yet another behind that */
	MOST_LATE = 100,        /* such requests on one connection, however close they follow each other */
	SWEEP_S = 14400,        /* between two sweeps of what uploads have left */
	LAST_S = 2,             /* for chats that are stopped at the end of the drain to be stored */
	MAX_TURNING = 16,       /* threads beyond the limit that answer 503 */
	PLACE_PATIENCE_MS = 20, /* for a place: who has just been answered still holds one, and asks again at once */
	BUSY_PATIENCE_MS = 100, /* for the first byte of what they answer */
	BUSY_TIMEOUT_S = 1,     /* for the head of a request that is answered 503 */
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const size_t stack_bytes = 2 << 20;
#else
static const size_t stack_bytes = 256 << 10;
#endif

/* An idle thread. */
struct idler {
	struct idler *next;
	sem_t called;
	bool taken; /* it is in the list no more, and will be called */
	bool leads; /* said when it is called; false: it is to end */
};

static struct {
	const struct config *config;
	int listen_fd;
	int gate_fd; /* both of them: epoll wakes one process for a connection, where poll() wakes all */
	int wake_fd; /* readable from the moment the worker drains */
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct idler *idle; /* the last first */
	bool led;
	atomic_bool draining;
	atomic_bool ending; /* for good: what comes next is refused, so kept connections need not be waited for */
	int n_threads, n_waiting, n_busy, n_turning;
} worker = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

/* Where a connection goes. */
enum place { TO_SERVE, TO_TURN, NOWHERE };

static void *thread_main(void *);

/* With the lock held. */
static void start_thread(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, stack_bytes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attributes, thread_main, NULL) == 0)
		worker.n_threads++;
	else
		log_event(LOG_WARNING, NULL, "thread_refused", "threads=%d", worker.n_threads);
	pthread_attr_destroy(&attributes);
}

/* With the lock held: take the thread that became idle last, to be called when the lock is given up. */
static struct idler *take_idler(bool leads)
{
	struct idler *idler = worker.idle;

	if (idler == NULL)
		return NULL;
	worker.idle = idler->next;
	worker.n_waiting--;
	idler->taken = true;
	idler->leads = leads;
	return idler;
}

/* After waiting in vain, with the lock held: true when it is to end. */
static bool leave_idlers(struct idler *self)
{
	struct idler **at;

	if (self->taken || worker.n_waiting <= SPARE_THREADS)
		return false;
	for (at = &worker.idle; *at != self; at = &(*at)->next)
		;
	*at = self->next;
	worker.n_waiting--;
	return true;
}

/* With the lock held, which is given up.  False when the thread is to end. */
static bool wait_for_lead(void)
{
	struct idler self = {.next = worker.idle};

	sem_init(&self.called, 0, 0);
	worker.idle = &self;
	worker.n_waiting++;
	do {
		pthread_mutex_unlock(&worker.lock);
		if (clock_wait(&self.called, clock_ms() + IDLE_S * 1000))
			return self.leads;
		pthread_mutex_lock(&worker.lock);
	} while (!leave_idlers(&self));
	pthread_mutex_unlock(&worker.lock);
	return false;
}

/* Become the leader.  False when the thread is to end. */
static bool take_lead(void)
{
	bool leads;

	pthread_mutex_lock(&worker.lock);
	if (worker.led && !worker.draining)
		return wait_for_lead();
	leads = !worker.draining;
	if (leads)
		worker.led = true;
	pthread_mutex_unlock(&worker.lock);
	return leads;
}

/* Out of descriptors or of memory: others may give some back soon.  A line a second tells it. */
static void wait_for_room(void)
{
	static int64_t told_s = -1;
	int error = errno;

	if (clock_new_second(&told_s))
		log_event(LOG_ERROR, NULL, "accept", "error=\"%s\"", strerror(error));
	clock_pause_ms(10);
}

/* Wait for a connection; -1 when the worker drains. */
static int accept_next(void)
{
	struct epoll_event event = {0};

	for (;;) {
		int fd;

		if (epoll_wait(worker.gate_fd, &event, 1, -1) != 1)
			continue;
		if (event.data.fd == worker.wake_fd)
			return -1;
		/* The socket does not block: another process may have been faster. */
		fd = accept4(worker.listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			wait_for_room();
	}
}

/* Hand the lead on with a connection in hand: is there a place to serve it?  When there is none, a few threads say so;
 * when those are busy too, the leader says it itself and keeps the lead. */
static enum place leave_lead(bool connected)
{
	enum place place = NOWHERE;
	struct idler *next = NULL;

	pthread_mutex_lock(&worker.lock);
	if (connected && worker.n_busy < worker.config->threads) {
		place = TO_SERVE;
		worker.n_busy++;
	} else if (connected && worker.n_turning < MAX_TURNING) {
		place = TO_TURN;
		worker.n_turning++;
	}
	metrics_set(METRIC_THREADS_BUSY, 0, worker.n_busy);
	if (place != NOWHERE && !worker.draining)
		next = take_idler(true);
	if (next == NULL && (!connected || place != NOWHERE)) {
		worker.led = false;
		/* One thread is always free to accept, be it to say 503. */
		if (connected && !worker.draining)
			start_thread();
	}
	if (worker.draining)
		pthread_cond_signal(&worker.ended);
	pthread_mutex_unlock(&worker.lock);
	if (next != NULL)
		sem_post(&next->called);
	return place;
}

/* With a connection that is to be turned away: a place that becomes free in a moment is better than 503. */
static enum place wait_for_place(void)
{
	enum place place = TO_TURN;
	int waited_ms;

	for (waited_ms = 0; waited_ms < PLACE_PATIENCE_MS && place == TO_TURN; waited_ms++) {
		clock_pause_ms(1);
		pthread_mutex_lock(&worker.lock);
		if (worker.n_busy < worker.config->threads) {
			place = TO_SERVE;
			worker.n_busy++;
			worker.n_turning--;
			metrics_set(METRIC_THREADS_BUSY, 0, worker.n_busy);
		}
		pthread_mutex_unlock(&worker.lock);
	}
	return place;
}

static void leave_place(enum place place)
{
	pthread_mutex_lock(&worker.lock);
	worker.n_busy -= place == TO_SERVE;
	metrics_set(METRIC_THREADS_BUSY, 0, worker.n_busy);
	worker.n_turning -= place == TO_TURN;
	pthread_mutex_unlock(&worker.lock);
}

static void set_timeouts(int fd, int seconds)
{
	struct timeval limit = {.tv_sec = seconds};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* A connection that was kept: does another request come on it?  `late`: how many have since the worker drains. */
static bool another(struct wire *wire, int late)
{
	struct pollfd wait[2] = {{.fd = wire_fd(wire), .events = POLLIN}, {.fd = worker.wake_fd, .events = POLLIN}};

	/* After a reload the web server does not know that this process goes: a request that it sends just as we close
	 * would be lost, and a POST it may not send twice.  It is woken by an answer's last byte and sends the next at
	 * once if it has one: right behind an answer is the worst moment to close. */
	if (late > 0)
		return poll(wait, 1, LATE_MS) > 0;
	if (poll(wait, 2, worker.config->body_timeout_s * 1000) <= 0)
		return false;
	return wait[0].revents != 0 || (!worker.ending && poll(wait, 1, KEPT_S * 1000) > 0);
}

static void serve(struct wire *wire, struct arena *arena, int fd)
{
	int late = 0;

	set_timeouts(fd, worker.config->body_timeout_s);
	if (wire_next(wire, fd) < 0)
		return;
	dispatch(wire, worker.config, arena);
	while (wire_kept(wire)) {
		if (!another(wire, late)) {
			wire_close(wire);
			return;
		}
		if (wire_next(wire, -1) < 0)
			return;
		late += worker.draining;
		if (late > MOST_LATE || (late > 0 && worker.ending))
			wire_last(wire);
		dispatch(wire, worker.config, arena);
	}
}

static void turn_away(struct wire *wire, struct arena *arena, int fd)
{
	struct pollfd first = {.fd = fd, .events = POLLIN};

	/* Who connects and says nothing must not keep others from being told. */
	if (poll(&first, 1, BUSY_PATIENCE_MS) <= 0) {
		close(fd);
		return;
	}
	set_timeouts(fd, BUSY_TIMEOUT_S);
	if (wire_next(wire, fd) < 0)
		return;
	dispatch_busy(wire, worker.config, arena);
	wire_close(wire);
}

static void *thread_main(void *unused)
{
	struct arena *arena = arena_new();
	struct wire wire;
	bool leads = false;

	(void)unused;
	wire_open_fcgi(&wire);
	while (arena != NULL && (leads || take_lead())) {
		int fd = accept_next();
		enum place place = leave_lead(fd >= 0);

		if (fd < 0)
			break;
		leads = place == NOWHERE;
		if (place == TO_TURN)
			place = wait_for_place();
		if (place == TO_SERVE)
			serve(&wire, arena, fd);
		else
			turn_away(&wire, arena, fd);
		leave_place(place);
	}
	if (arena != NULL)
		arena_free(arena);
	pthread_mutex_lock(&worker.lock);
	worker.n_threads--;
	pthread_cond_signal(&worker.ended);
	pthread_mutex_unlock(&worker.lock);
	return NULL;
}

static int watch_gate(int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(worker.gate_fd, EPOLL_CTL_ADD, fd, &event);
}

/* -1 when this process cannot wait for connections: better another one in its place. */
static int open_gates(const struct config *config, int listen_fd, const char *id)
{
	int on = 1;

	/* What it accepts has it too; no effect on a Unix socket. */
	setsockopt(listen_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	worker.config = config;
	worker.listen_fd = listen_fd;
	worker.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	worker.gate_fd = epoll_create1(EPOLL_CLOEXEC);
	if (worker.wake_fd < 0 || worker.gate_fd < 0 || watch_gate(worker.wake_fd, EPOLLIN) < 0 ||
		watch_gate(listen_fd, EPOLLIN | EPOLLEXCLUSIVE) < 0) {
		log_event(LOG_ERROR, NULL, "accept", "error=\"%s\"", strerror(errno));
		return -1;
	}
	pool_open(config);
	worker_id_take(id);
	dispatch_limit_streams(config->threads / 8 * 7);
	slots_limit(config->threads / 2);
	password_limit(config->threads / 8);
	trust_take(config->outbound_ca);
	metrics_set(METRIC_WORKERS, METRICS_SERVING, 1);
	metrics_set(METRIC_THREADS_MOST, 0, config->threads);
	extract_limit(config->extract_parallel);
	pthread_mutex_lock(&worker.lock);
	start_thread();
	pthread_mutex_unlock(&worker.lock);
	return 0;
}

/* A thread that could not be made, or had no memory to begin with, leaves nobody to accept. */
static void fill_lead(void)
{
	pthread_mutex_lock(&worker.lock);
	if (!worker.led && worker.n_waiting == 0 && !worker.draining)
		start_thread();
	pthread_mutex_unlock(&worker.lock);
}

/* With the lock held: until a thread has gone, or given the lead up.  False when it is too late.  A clock that is put
 * back meanwhile must not make a drain longer. */
static bool wait_for_ended(int64_t deadline_ms)
{
	const struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};

	return pthread_cond_clockwait(&worker.ended, &worker.lock, CLOCK_MONOTONIC, &until) != ETIMEDOUT;
}

/* Accept no more; how many threads are still there. */
static int close_gates(void)
{
	const int64_t deadline_ms = clock_ms() + LAST_S * 1000;
	struct idler *idler;
	uint64_t one = 1;
	int left;

	pthread_mutex_lock(&worker.lock);
	worker.draining = true;
	metrics_set(METRIC_WORKERS, METRICS_SERVING, 0);
	metrics_set(METRIC_WORKERS, METRICS_DRAINING, 1);
	if (write(worker.wake_fd, &one, sizeof(one)) < 0)
		log_event(LOG_ERROR, NULL, "drain", "error=\"%s\"", strerror(errno));
	while ((idler = take_idler(false)) != NULL)
		sem_post(&idler->called);
	/* Nobody accepts here any more: when the last process has closed the socket, new connections are refused. */
	while (worker.led)
		if (!wait_for_ended(deadline_ms))
			break;
	if (!worker.led && worker.listen_fd >= 0) {
		close(worker.listen_fd);
		worker.listen_fd = -1;
	}
	left = worker.n_threads;
	pthread_mutex_unlock(&worker.lock);
	return left;
}

/* Upkeep, once a second. */
static void tick(void)
{
	watch_tick();
	job_tick();
	settle_tick();
	used_tick();
	graveyard_tick();
}

/* Let requests finish for so long, looking after the open chats meanwhile; how many threads are still at work. */
static int drain(int seconds)
{
	int64_t deadline_ms = clock_ms() + seconds * 1000;
	int left = close_gates();

	while (left > 0 && clock_ms() < deadline_ms) {
		pthread_mutex_lock(&worker.lock);
		if (worker.n_threads > 0)
			wait_for_ended(clock_ms() + 1000);
		left = worker.n_threads;
		pthread_mutex_unlock(&worker.lock);
		if (left > 0)
			tick();
	}
	settle_tick();
	return left;
}

/* Once a second, until SIGTERM: look after the open chats.  A terminal's ^C and a reload are the master's affair. */
static void keep_up(const sigset_t *signals)
{
	const struct timespec second = {.tv_sec = 1};
	unsigned left_s = secret_below(SWEEP_S); /* not all workers at once */
	int signal;

	while ((signal = sigtimedwait(signals, NULL, &second)) != SIGTERM && signal != SIGUSR1) {
		fill_lead();
		tick();
		if (left_s-- == 0) {
			ingest_sweep();
			retain_sweep(worker.config);
			left_s = SWEEP_S;
		}
	}
	worker.ending = signal == SIGTERM;
}

int worker_run(const struct config *config, int listen_fd, const char *id)
{
	sigset_t signals;
	int left;

	/* libfcgi has set handlers of its own: here signals are only ever waited for. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (open_gates(config, listen_fd, id) < 0)
		return 1;
	job_start(config);
	keep_up(&signals);
	job_stop();
	left = drain(config->drain_s);
	if (left > 0) {
		watch_stop_all();
		left = drain(LAST_S);
	}
	if (left > 0) {
		log_event(LOG_WARNING, NULL, "drain_cut", "requests=%d drain=%d", left, config->drain_s);
		_exit(0); /* threads are still at work: nothing may be taken from under them */
	}
	used_flush();
	http_stop();
	pool_close();
	close(worker.wake_fd);
	return 0;
}
