/* SPDX-License-Identifier: ISC */
#include "extract/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extract/job.h"

enum { MAX_INPUT_MIB = 1024 };

static int stop(enum refusal refusal, const char *message)
{
	job.finding->refusal = refusal;
	snprintf(job.finding->message, sizeof(job.finding->message), "%s", message);
	return -1;
}

static int open_nameless(void)
{
	const char *dir = getenv("TMPDIR");
	char name[4096];
	int fd = open(dir != NULL ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	snprintf(name, sizeof(name), "%s/exedra-extract-XXXXXX", dir != NULL ? dir : "/tmp");
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0) {
		unlink(name);
		return fd;
	}
	return memfd_create("exedra-extract", MFD_CLOEXEC);
}

static int write_all(int fd, const char *at, size_t len)
{
	while (len > 0) {
		ssize_t wrote = write(fd, at, len);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -1;
		at += wrote;
		len -= (size_t)wrote;
	}
	return 0;
}

static int copy(int to)
{
	static char piece[64 << 10];

	for (;;) {
		ssize_t got = read(STDIN_FILENO, piece, sizeof(piece));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return stop(INPUT_UNREADABLE, "The file cannot be read.");
		if (got == 0)
			return 0;
		job.input_bytes += got;
		if (job.input_bytes > (int64_t)MAX_INPUT_MIB << 20)
			return stop(FILE_TOO_LARGE, "The file is larger than 1 GiB.");
		if (write_all(to, piece, (size_t)got) < 0)
			return stop(INPUT_UNREADABLE, "There is no room for a copy of the file.");
	}
}

static int copy_input(void)
{
	int fd = open_nameless();

	if (fd < 0)
		return stop(INPUT_UNREADABLE, "There is no room for a copy of the file.");
	if (copy(fd) < 0)
		return -1;
	dup2(fd, STDIN_FILENO);
	close(fd);
	return 0;
}

int spool_input(void)
{
	struct stat st;
	int flags = fcntl(STDIN_FILENO, F_GETFL);

	if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || fstat(STDIN_FILENO, &st) != 0 || S_ISDIR(st.st_mode))
		return stop(INPUT_UNREADABLE, "Standard input is no file that can be read.");
	if (!S_ISREG(st.st_mode))
		return copy_input();
	job.input_bytes = st.st_size;
	if (job.input_bytes > (int64_t)MAX_INPUT_MIB << 20)
		return stop(FILE_TOO_LARGE, "The file is larger than 1 GiB.");
	return 0;
}
