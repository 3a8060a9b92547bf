/* SPDX-License-Identifier: ISC */
#include "extract/feed.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "extract/job.h"

static size_t read_input(struct feed *feed, char *to, size_t room)
{
	(void)feed;
	for (;;) {
		ssize_t got = read(STDIN_FILENO, to, room);

		if (got >= 0)
			return (size_t)got;
		if (errno != EINTR)
			refuse(INPUT_UNREADABLE, "The file cannot be read.");
	}
}

struct feed *feed_input(struct arena *arena)
{
	struct feed *feed = arena_get(arena, sizeof(*feed));

	lseek(STDIN_FILENO, 0, SEEK_SET);
	feed->read = read_input;
	return feed;
}

struct memory_feed {
	struct feed feed;
	const char *at;
	size_t left;
	struct feed *rest; /* comes after, or NULL */
};

static size_t read_memory(struct feed *feed, char *to, size_t room)
{
	struct memory_feed *memory = (struct memory_feed *)feed;
	size_t n = memory->left < room ? memory->left : room;

	if (n == 0 && memory->rest != NULL)
		return memory->rest->read(memory->rest, to, room);
	memcpy(to, memory->at, n);
	memory->at += n;
	memory->left -= n;
	return n;
}

static struct memory_feed *new_memory(struct arena *arena, const char *at, size_t len)
{
	struct memory_feed *memory = arena_get(arena, sizeof(*memory));

	memory->feed.read = read_memory;
	memory->at = at;
	memory->left = len;
	return memory;
}

size_t feed_fill(struct feed *feed, char *to, size_t room)
{
	size_t n = 0, got;

	while (n < room && (got = feed->read(feed, to + n, room - n)) > 0)
		n += got;
	return n;
}

size_t feed_peek(struct arena *arena, struct feed **feed, char *to, size_t room)
{
	size_t n = feed_fill(*feed, to, room);
	struct memory_feed *memory = new_memory(arena, arena_copy(arena, to, n), n);

	memory->rest = *feed;
	*feed = &memory->feed;
	return n;
}
