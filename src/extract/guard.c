/* SPDX-License-Identifier: ISC */
#include "extract/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "extract/sandbox.h"

enum { MAX_HEAD_BYTES = 1 << 20 };

static sigset_t sigchld;
static pid_t parent;

void guard_begin(void)
{
	parent = getpid();
	/* whatever was inherited: children are waited for, and a reader that went away is an error of write() */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&sigchld);
	sigaddset(&sigchld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &sigchld, NULL);
}

/* ---- in the child */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REPORTS 1 /* of the sanitizer, which somebody wants to see */
#else
#define REPORTS 0
#endif

static void take_descriptors(int in, int out, bool reports)
{
	int null = open("/dev/null", O_RDWR);

	/* they may be each other's numbers: first away, then home */
	in = fcntl(in, F_DUPFD, 10);
	out = fcntl(out < 0 ? null : out, F_DUPFD, 10);
	if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0)
		_exit(1);
	if (!reports)
		dup2(null, 2);
	if (close_range(3, ~0U, 0) != 0)
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
}

static _Noreturn void run(void (*work)(void), int in, int out, enum role role)
{
	for (int i = 1; i < 32; i++)
		signal(i, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &sigchld, NULL);
	take_descriptors(in, out, REPORTS && role != TOOL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	job.shut_in = true;
	sandbox_limit();
	work();
	if (role == READER)
		job.finding->whole = 1;
	_exit(0);
}

/* ---- in the parent */

void guard_start(struct guarded *guarded, void (*work)(void), int in, int out)
{
	guarded->pid = fork();
	if (guarded->pid < 0) {
		snprintf(job.finding->message, sizeof(job.finding->message), "No process can be started: %s.",
			strerror(errno));
		job.finding->refusal = SANDBOX_MISSING;
	} else if (guarded->pid == 0)
		run(work, in, out, guarded->role);
}

static int64_t ms_left(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (job.deadline.tv_sec - now.tv_sec) * 1000 + (job.deadline.tv_nsec - now.tv_nsec) / 1000000;
}

static void postpone(int64_t ms)
{
	job.deadline.tv_sec += ms / 1000;
	job.deadline.tv_nsec += ms % 1000 * 1000000;
}

/* Hand on a piece.  What the reader of it takes its time for is not the file's fault. */
static bool write_out(const char *at, size_t len)
{
	int64_t before = ms_left();

	while (len > 0) {
		ssize_t wrote = write(STDOUT_FILENO, at, len);

		if (wrote < 0 && errno == EAGAIN) {
			struct pollfd out = {STDOUT_FILENO, POLLOUT, 0};

			poll(&out, 1, -1);
		} else if (wrote < 0 && errno != EINTR)
			return false;
		if (wrote > 0) {
			at += wrote;
			len -= (size_t)wrote;
		}
	}
	postpone(before - ms_left());
	return true;
}

/* Until all who hold the other end have closed it.  Anything but WHOLE ends the work.  The reader counts what it
 * prints; one that a file has taken over would not. */
static enum refusal pump(int from)
{
	static char piece[64 << 10];
	struct pollfd in = {from, POLLIN, 0};
	uint64_t room = job.max_bytes + MAX_HEAD_BYTES;

	for (;;) {
		int64_t left = ms_left();
		ssize_t got;

		if (left <= 0)
			return FILE_TOO_SLOW;
		if (poll(&in, 1, (int)left) <= 0)
			continue;
		got = read(from, piece, sizeof(piece));
		if (got == 0)
			return WHOLE;
		if (got > 0 && (uint64_t)got > room)
			return FILE_TOO_LARGE;
		room -= got > 0 ? (uint64_t)got : 0;
		if (got > 0 && !write_out(piece, (size_t)got))
			return OUTPUT_GONE;
	}
}

static bool reap(struct guarded *all, int n)
{
	bool some_left = false;

	for (int i = 0; i < n; i++) {
		pid_t ended = all[i].pid > 0 ? wait4(all[i].pid, &all[i].status, WNOHANG, &all[i].usage) : 0;

		if (ended == all[i].pid)
			all[i].pid = 0;
		some_left |= all[i].pid > 0;
	}
	return !some_left;
}

/* Until all have ended, or the time has. */
static enum refusal wait_all(struct guarded *all, int n)
{
	while (!reap(all, n)) {
		int64_t left = ms_left();
		struct timespec patience = {left / 1000, left % 1000 * 1000000};

		if (left <= 0)
			return FILE_TOO_SLOW;
		sigtimedwait(&sigchld, NULL, &patience);
	}
	return WHOLE;
}

static void kill_all(struct guarded *all, int n)
{
	for (int i = 0; i < n; i++)
		if (all[i].pid > 0) {
			kill(all[i].pid, SIGKILL);
			while (wait4(all[i].pid, &all[i].status, 0, &all[i].usage) < 0 && errno == EINTR)
				;
			all[i].pid = 0;
		}
}

/* ---- what ended it */

static enum refusal say(enum refusal refusal, const char *message)
{
	snprintf(job.finding->message, sizeof(job.finding->message), "%s", message);
	return refusal;
}

static enum refusal say_slow(void)
{
	char message[80];

	snprintf(message, sizeof(message), "It could not be read within %d seconds.", job.max_seconds);
	return say(FILE_TOO_SLOW, message);
}

static enum refusal say_hungry(void)
{
	char message[80];

	snprintf(message, sizeof(message), "It takes more than %llu MiB of memory to read.",
		(unsigned long long)job.max_memory >> 20);
	return say(FILE_TOO_HUNGRY, message);
}

/* A program that aborts was near its limit, or it was not. */
static bool was_starved(const struct guarded *guarded)
{
	if (guarded->role != TOOL)
		return job.finding->starved;
	return (uint64_t)guarded->usage.ru_maxrss * 1024 > job.max_memory / 2;
}

static enum refusal judge_signal(const struct guarded *guarded)
{
	switch (WTERMSIG(guarded->status)) {
	case SIGXCPU:
		return say_slow();
	case SIGSYS:
		return say(FILE_BROKEN, "The program that read it tried something it may not do.");
	case SIGKILL:
		if (guarded->usage.ru_utime.tv_sec + guarded->usage.ru_stime.tv_sec >= job.max_seconds)
			return say_slow();
		return say(FILE_TOO_HUNGRY, "The program that read it was killed; the system may be short of memory.");
	case SIGPIPE:
		return guarded->role != READER ? WHOLE : say(OUTPUT_GONE, "Nobody reads the text any more.");
	}
	if (was_starved(guarded))
		return say_hungry();
	return say(FILE_BROKEN, "The program that read it crashed; the file is broken.");
}

static enum refusal judge_tool(const struct guarded *guarded)
{
	char message[120];

	if (WEXITSTATUS(guarded->status) == 0)
		return WHOLE;
	if (was_starved(guarded))
		return say_hungry();
	snprintf(message, sizeof(message), "It is damaged: the program %s cannot read it.", guarded->name);
	return say(FILE_BROKEN, message);
}

static enum refusal judge(const struct guarded *guarded)
{
	struct finding *finding = job.finding;

	if (WIFSIGNALED(guarded->status))
		return judge_signal(guarded);
	if (guarded->role == TOOL)
		return judge_tool(guarded);
	if (finding->refusal > WHOLE && finding->refusal < N_REFUSALS) {
		finding->message[sizeof(finding->message) - 1] = '\0';
		/* whatever a library made of it */
		if (finding->starved && (finding->refusal == FILE_BROKEN || finding->refusal == SANDBOX_MISSING))
			return say_hungry();
		return (enum refusal)finding->refusal;
	}
	if (WEXITSTATUS(guarded->status) == 0 && (finding->whole || guarded->role == FEEDER))
		return WHOLE;
	return finding->starved ? say_hungry()
				: say(FILE_BROKEN, "The program that read it gave up; the file is broken.");
}

/* Of a reader and those that feed it: the reader's word counts, unless it only saw that they had failed. */
static enum refusal judge_all(const struct guarded *all, int n)
{
	enum refusal first = judge(&all[0]);

	for (int i = 1; i < n && (first == WHOLE || first == FILE_NO_TEXT); i++) {
		enum refusal other = judge(&all[i]);

		if (other != WHOLE)
			return other;
	}
	return first;
}

enum refusal guard_wait(struct guarded *all, int n, int from)
{
	enum refusal refusal = (enum refusal)job.finding->refusal;

	for (int i = 0; i < n; i++)
		if (all[i].pid < 0) {
			kill_all(all, n);
			return refusal;
		}
	refusal = from >= 0 ? pump(from) : WHOLE;
	if (refusal == WHOLE)
		refusal = wait_all(all, n);
	kill_all(all, n);
	if (refusal == FILE_TOO_SLOW)
		return say_slow();
	if (refusal == OUTPUT_GONE)
		return say(refusal, "Nobody reads the text any more.");
	if (refusal == FILE_TOO_LARGE)
		return say(refusal, "The program that read it printed more than it may.");
	return judge_all(all, n);
}
