/* SPDX-License-Identifier: ISC */
#include "base/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

struct mapping {
	void *at;
	size_t len;
};

static void close_file(void *fd)
{
	close((int)(intptr_t)fd);
}

/* Where the file system has no O_TMPFILE. */
static int open_named(struct arena *arena, const char *folder)
{
	char *path = arena_printf(arena, "%s/exedra-XXXXXX", folder);
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd >= 0)
		unlink(path);
	return fd;
}

int temp_open(struct arena *arena)
{
	const char *folder = getenv("TMPDIR");
	int fd;

	if (folder == NULL || *folder != '/')
		folder = "/tmp";
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = open_named(arena, folder);
	if (fd >= 0)
		arena_later(arena, close_file, (void *)(intptr_t)fd);
	return fd;
}

int temp_write(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t wrote = write(fd, bytes, len);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return -1;
		bytes += wrote;
		len -= (size_t)wrote;
	}
	return 0;
}

static void unmap(void *arg)
{
	struct mapping *mapping = arg;

	munmap(mapping->at, mapping->len);
}

const char *temp_map(struct arena *arena, int fd, size_t *len)
{
	struct mapping *mapping = arena_get(arena, sizeof(*mapping));
	struct stat stat;

	*len = 0;
	if (fstat(fd, &stat) < 0)
		return MAP_FAILED;
	if (stat.st_size == 0)
		return NULL;
	mapping->len = (size_t)stat.st_size;
	mapping->at = mmap(NULL, mapping->len, PROT_READ, MAP_SHARED, fd, 0);
	if (mapping->at == MAP_FAILED)
		return MAP_FAILED;
	arena_later(arena, unmap, mapping);
	*len = mapping->len;
	return mapping->at;
}

int temp_fail(struct task *task, const char *what)
{
	log_event(LOG_ERROR, task, "temp", "error=\"%m\"");
	return fail(task, 503, "disk", "There is no place for %s at the moment.", what);
}

void temp_passed(const char *map, size_t upto)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), inside = (size_t)((uintptr_t)map % page);

	if (upto + inside >= page)
		madvise((void *)(uintptr_t)(map - inside), (upto + inside) / page * page, MADV_DONTNEED);
}
