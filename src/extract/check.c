/* SPDX-License-Identifier: ISC */
#include "extract/check.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "extract/guard.h"
#include "extract/job.h"
#include "extract/sandbox.h"

/* A process that has done it returns; _exit(1) says that it was refused. */
static void insist(bool done)
{
	if (!done)
		_exit(1);
}

static void do_open(void)
{
	insist(open("/etc/passwd", O_RDONLY) >= 0);
}

static void do_write(void)
{
	insist(open("/tmp/exedra-extract-check", O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0);
}

static void do_socket(void)
{
	insist(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static void do_socket_of_file(void)
{
	insist(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
}

static void do_fork(void)
{
	insist(fork() >= 0);
}

static void do_exec(void)
{
	execl("/bin/true", "true", (char *)NULL);
	insist(false);
}

static void do_ptrace(void)
{
	insist(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0);
}

static void do_kill(void)
{
	insist(kill(getppid(), 0) == 0);
}

static void do_code(void)
{
	insist(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static const struct deed {
	const char *name;
	void (*deed)(void);
	bool tool; /* a program of another's is held back from it too */
} deeds[] = {
	{"open", do_open, true},
	{"write", do_write, true},
	{"socket", do_socket, true},
	{"unix-socket", do_socket_of_file, true},
	{"fork", do_fork, true},
	{"exec", do_exec, false},
	{"ptrace", do_ptrace, true},
	{"kill", do_kill, true},
	{"code", do_code, false},
};

static const struct deed *now;

static void try_as_reader(void)
{
	sandbox_seal(SEAL_READER, NULL);
	now->deed();
}

static void try_as_tool(void)
{
	static const char *const trees[] = {"/usr", NULL};

	sandbox_seal(SEAL_TOOL, trees);
	now->deed();
}

static bool holds(const char *who, void (*work)(void))
{
	struct guarded guarded = {0};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bool held;

	*job.finding = (struct finding){0};
	guard_start(&guarded, work, null, -1);
	close(null);
	guard_wait(&guarded, 1, -1);
	held = !(WIFEXITED(guarded.status) && WEXITSTATUS(guarded.status) == 0);
	printf("%s %s: %s\n", who, now->name,
		!held                                                               ? "DONE"
		: WIFSIGNALED(guarded.status) && WTERMSIG(guarded.status) == SIGSYS ? "killed"
		: job.finding->refusal != WHOLE                                     ? "no sandbox"
										    : "refused");
	return held && job.finding->refusal == WHOLE;
}

int check_sandbox(void)
{
	bool all = true;

	guard_begin();
	clock_gettime(CLOCK_MONOTONIC, &job.deadline);
	job.deadline.tv_sec += job.max_seconds;
	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
		now = &deeds[i];
		all &= holds("reader", try_as_reader);
		if (now->tool)
			all &= holds("tool", try_as_tool);
	}
	return all ? EXIT_SUCCESS : EXIT_FAILURE;
}
