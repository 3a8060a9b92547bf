/* SPDX-License-Identifier: ISC */
#include "start/master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "core/worker_id.h"
#include "start/graveyard.h"
#include "start/setup.h"
#include "start/socket.h"
#include "start/worker.h"
#include "store/secret.h"

enum {
	MAX_WORKERS = METRICS_WORKERS,
	SOON_MS = 1000, /* a worker that dies younger than this is replaced with back-off */
	MAX_BACKOFF_MS = 5000,
};

struct child {
	pid_t pid; /* 0 = free */
	char id[WORKER_ID_TEXT];
	int64_t born_ms;
	bool draining;
};

static struct {
	struct config *config;
	const char *path;   /* of the configuration, as it was named; NULL: the usual one, if it is there */
	const char *remove; /* the socket's path, to be taken away at the end; NULL: not ours */
	bool verbose;       /* -v: whatever the configuration says */
	int listen_fd;
	sigset_t signals;
	struct child children[MAX_WORKERS];
	int backoff_ms;
	int64_t start_ms; /* when the next worker may be started */
	bool ending;
	char node[200];
	char pool[WORKER_ID_TEXT];
	bool held; /* the node's name is ours */
} master;

static struct child *find_child(pid_t pid)
{
	int i;

	for (i = 0; i < MAX_WORKERS; i++)
		if (master.children[i].pid == pid)
			return &master.children[i];
	return NULL;
}

static int count_children(bool draining_too)
{
	int i, n = 0;

	for (i = 0; i < MAX_WORKERS; i++)
		n += master.children[i].pid != 0 && (draining_too || !master.children[i].draining);
	return n;
}

static void start_worker(void)
{
	struct child *child = find_child(0);
	pid_t parent = getpid(), pid;

	if (child == NULL) { /* the draining hold all places */
		master.start_ms = clock_ms() + SOON_MS;
		return;
	}
	worker_id_new(child->id, master.pool);
	pid = fork();
	if (pid < 0) {
		log_event(LOG_ERROR, NULL, "fork", "error=\"%s\"", strerror(errno));
		master.start_ms = clock_ms() + SOON_MS;
		return;
	}
	if (pid > 0) {
		child->pid = pid;
		child->born_ms = clock_ms();
		child->draining = false;
		return;
	}
	/* A worker must not outlive its master: nobody could end it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	metrics_take((int)(child - master.children));
	exit(worker_run(master.config, master.listen_fd, child->id));
}

static void start_missing(void)
{
	while (!master.ending && clock_ms() >= master.start_ms && count_children(false) < master.config->processes) {
		int before = count_children(false);

		start_worker();
		if (count_children(false) == before)
			return;
	}
}

static void tell(int signal, bool old_only)
{
	int i;

	for (i = 0; i < MAX_WORKERS; i++) {
		struct child *child = &master.children[i];

		if (child->pid == 0 || (old_only && child->draining))
			continue;
		child->draining = true;
		kill(child->pid, signal);
	}
}

/* A worker that dies as soon as it is started would otherwise be started thousands of times a second. */
static void back_off(const struct child *child)
{
	if (clock_ms() - child->born_ms >= SOON_MS) {
		master.backoff_ms = 0;
		return;
	}
	master.backoff_ms = master.backoff_ms == 0 ? 100 : master.backoff_ms * 2;
	if (master.backoff_ms > MAX_BACKOFF_MS)
		master.backoff_ms = MAX_BACKOFF_MS;
	master.start_ms = clock_ms() + master.backoff_ms;
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *child = find_child(pid);

		if (child == NULL)
			continue;
		/* One that has come to its end has closed its chats, unless its drain was cut. */
		graveyard_add(pid, child->id);
		metrics_bury((int)(child - master.children));
		if (!child->draining) {
			log_event(LOG_ERROR, NULL, "worker_died", "worker=%d %s=%d", (int)pid,
				WIFSIGNALED(status) ? "signal" : "status",
				WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			metrics_add(METRIC_WORKER_RESTARTS, 0, 0, 1);
			back_off(child);
		}
		child->pid = 0;
	}
}

static const char *file_of(const struct config *config)
{
	return config->file == NULL ? "" : config->file;
}

static void reload(void)
{
	char problem[700];
	struct config *fresh = config_read(master.path, problem, sizeof(problem));

	if (fresh != NULL && setup_check(fresh, problem, sizeof(problem)) < 0) {
		config_free(fresh);
		fresh = NULL;
	}
	if (fresh == NULL) {
		log_event(LOG_ERROR, NULL, "reload_refused", "problem=\"%s\"", problem);
		return;
	}
	tell(SIGUSR1, true);
	config_free(master.config);
	master.config = fresh;
	if (!master.verbose)
		log_threshold((enum log_level)fresh->log_level);
	if (secret_load_key(fresh->secret_file, problem, sizeof(problem)) < 0)
		log_event(LOG_WARNING, NULL, "secret", "problem=\"%s\"", problem);
	master.start_ms = 0;
	start_missing();
	log_event(LOG_INFO, NULL, "reloaded", "workers=%d config=\"%s\"", fresh->processes, file_of(fresh));
}

/* New connections are refused at once, rather than held until the last request is done. */
static void end_pool(void)
{
	if (!master.ending) {
		log_event(LOG_INFO, NULL, "ending", "drain=%d", master.config->drain_s);
		if (master.remove != NULL)
			socket_remove(master.remove);
		close(master.listen_fd);
	}
	master.ending = true;
	tell(SIGTERM, true);
}

/* Wait for a signal, or until a worker may be started again. */
static int next_signal(void)
{
	struct timespec wait = {0};
	int left;

	if (master.held && (master.ending || count_children(false) >= master.config->processes))
		return sigwaitinfo(&master.signals, NULL);
	left = count_children(false) >= master.config->processes || master.ending ? 1000
										  : clock_left_ms(master.start_ms);
	left++; /* not a part of a millisecond too early */
	wait.tv_sec = left / 1000;
	wait.tv_nsec = left % 1000 * 1000000L;
	return sigtimedwait(&master.signals, NULL, &wait);
}

/* Two pools on one machine serve different sockets: host and address name this one. */
static void name_node(void)
{
	char host[64] = "localhost", address[120];

	gethostname(host, sizeof(host) - 1);
	socket_name(master.listen_fd, address, sizeof(address));
	snprintf(master.node, sizeof(master.node), "%s:%s", host, address);
}

/* An earlier pool on this socket may still be draining.  When its last process has gone the name is free, and what it
 * left open is nobody's. */
static void hold_node(void)
{
	if (master.held || socket_hold(master.node) < 0)
		return;
	master.held = true;
	graveyard_sweep(master.node, master.pool);
}

void master_hold_signals(void)
{
	sigemptyset(&master.signals);
	sigaddset(&master.signals, SIGTERM);
	sigaddset(&master.signals, SIGINT);
	sigaddset(&master.signals, SIGHUP);
	sigaddset(&master.signals, SIGCHLD);
	sigaddset(&master.signals, SIGUSR1); /* ours to the workers */
	/* Workers inherit this: a signal that comes before one of them waits for it stays pending. */
	sigprocmask(SIG_BLOCK, &master.signals, NULL);
}

int master_run(struct config *config, const char *path, int listen_fd, const char *remove, bool verbose)
{
	master.remove = remove;
	master.verbose = verbose;
	master.config = config;
	master.path = path;
	master.listen_fd = listen_fd;
	name_node();
	worker_id_new(master.pool, master.node);
	if (graveyard_open() < 0)
		return 1;
	hold_node();
	start_missing();
	log_event(LOG_INFO, NULL, "ready", "listen=%s workers=%d threads=%d config=\"%s\"",
		strchr(master.node, ':') + 1, config->processes, config->threads, file_of(config));
	while (!master.ending || count_children(true) > 0) {
		switch (next_signal()) {
		case SIGTERM:
		case SIGINT:
			end_pool();
			break;
		case SIGHUP:
			if (!master.ending)
				reload();
			break;
		default:
			break;
		}
		reap();
		hold_node();
		start_missing();
	}
	log_event(LOG_INFO, NULL, "ended", "%s", "");
	config_free(master.config);
	return 0;
}
