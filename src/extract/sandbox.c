/* SPDX-License-Identifier: ISC */
#include "extract/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "extract/job.h"
#include "extract/landlock.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* Its shadow is 16 TB, and it reads files of its own to print a report. */
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static void limit(int what, rlim_t soft, rlim_t hard)
{
	struct rlimit was, now;

	if (getrlimit(what, &was) == 0 && hard > was.rlim_max)
		hard = was.rlim_max;
	now.rlim_cur = soft < hard ? soft : hard;
	now.rlim_max = hard;
	if (setrlimit(what, &now) != 0)
		refuse(SANDBOX_MISSING, "A limit of the system cannot be set.");
}

void sandbox_limit(void)
{
	rlim_t seconds = (rlim_t)job.max_seconds;
	/* a file is mapped to be read, at most once */
	rlim_t room = (rlim_t)job.max_memory + (rlim_t)job.input_bytes;

	/* the soft one is a signal that says what it was */
	limit(RLIMIT_CPU, seconds, seconds + 1);
	limit(RLIMIT_FSIZE, 0, 0);
	limit(RLIMIT_CORE, 0, 0);
	limit(RLIMIT_NOFILE, 32, 32);
	limit(RLIMIT_STACK, 8 << 20, 8 << 20);
	if (!SANITIZED) {
		limit(RLIMIT_NPROC, 0, 0);
		limit(RLIMIT_AS, room, room);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		refuse(SANDBOX_MISSING, "The system does not let the program shut itself in.");
}

/* ---- the filter of system calls */

/* Nothing that a library does with memory, time and descriptors that are open already. */
static const int harmless[] = {SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(write),
	SCMP_SYS(writev), SCMP_SYS(lseek), SCMP_SYS(_llseek), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(fstat64),
	SCMP_SYS(dup), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(futex),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(getrandom), SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getcpu), SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(getrlimit), SCMP_SYS(getrusage),
	SCMP_SYS(fadvise64)};

/* Libraries try these and can do without: there is no such file for them. */
static const int looking[] = {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(stat64), SCMP_SYS(lstat64),
	SCMP_SYS(newfstatat), SCMP_SYS(fstatat64), SCMP_SYS(statx), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd), SCMP_SYS(statfs)};

/* A program starts, loads its libraries, and looks for its files. */
static const int starting[] = {SCMP_SYS(execve), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(mmap), SCMP_SYS(mmap2),
	SCMP_SYS(mprotect), SCMP_SYS(arch_prctl), SCMP_SYS(set_tid_address), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
	SCMP_SYS(statfs)};

static scmp_filter_ctx filter;

static void rule(uint32_t action, int call, unsigned n_conditions, const struct scmp_arg_cmp *conditions)
{
	int result = seccomp_rule_add_array(filter, action, call, n_conditions, conditions);

	/* -EDOM: this machine has no such call */
	if (result != 0 && result != -EDOM)
		refuse(SANDBOX_MISSING, "A filter of system calls cannot be made.");
}

static void allow_all(const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rule(SCMP_ACT_ALLOW, calls[i], 0, NULL);
}

static void allow_if(int call, struct scmp_arg_cmp condition)
{
	rule(SCMP_ACT_ALLOW, call, 1, &condition);
}

static void allow_opening(void)
{
	const scmp_datum_t writing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;

	allow_if(SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, writing, 0));
	allow_if(SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, writing, 0));
}

/* The rest of what a reader needs, with its arguments. */
static void allow_with_care(enum seal seal)
{
	if (seal != SEAL_TOOL) {
		allow_if(SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		allow_if(SCMP_SYS(mmap2), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		allow_if(SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		allow_if(SCMP_SYS(newfstatat), SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	}
	/* abort() */
	allow_if(SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	allow_if(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFL));
	allow_if(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFD));
	allow_if(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_SETFD));
	allow_if(SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC));
	/* limits are asked, not set */
	allow_if(SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));
	rule(SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 1, &SCMP_A1(SCMP_CMP_EQ, TCGETS));
}

static void forbid_looking(bool opens)
{
	for (size_t i = 0; i < sizeof(looking) / sizeof(looking[0]); i++) {
		struct scmp_arg_cmp with_path = SCMP_A3(SCMP_CMP_NE, AT_EMPTY_PATH);
		bool fstat = looking[i] == SCMP_SYS(newfstatat);

		if (!opens || (looking[i] != SCMP_SYS(open) && looking[i] != SCMP_SYS(openat)))
			rule(SCMP_ACT_ERRNO(EACCES), looking[i], fstat, &with_path);
	}
}

void sandbox_seal(enum seal seal, const char *const *trees)
{
	bool held = seal != SEAL_READER && landlock_seal(trees);
	bool opens = SANITIZED || seal == SEAL_TOOL || held;

	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter == NULL)
		refuse(SANDBOX_MISSING, "A filter of system calls cannot be made.");
	allow_all(harmless, sizeof(harmless) / sizeof(harmless[0]));
	allow_with_care(seal);
	if (seal == SEAL_TOOL)
		allow_all(starting, sizeof(starting) / sizeof(starting[0]));
	else
		forbid_looking(opens);
	if (opens)
		allow_opening();
	if (seccomp_load(filter) != 0)
		refuse(SANDBOX_MISSING, "The kernel has no filter of system calls (seccomp).");
}
