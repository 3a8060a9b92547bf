/* SPDX-License-Identifier: ISC
 * Blocks that double, from which small pieces are cut; a large piece is a malloc of its own, so that one big
 * body does not leave a half-empty block behind.  Nothing here knows what the memory is for. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_BLOCK = 4608,       /* what a chat needs while its answer comes: it takes no second one */
	FIRST_WITHIN = 1024,      /* every open stream holds some of these for as long as it lasts */
	SECOND_BLOCK = 4 * 1024,  /* behind either */
	LAST_BLOCK = 1024 * 1024, /* blocks double up to here */
	ALIGN = alignof(max_align_t),
#ifdef __SANITIZE_ADDRESS__
	LARGE = 1, /* every piece is a malloc, with a red zone behind it */
#else
	LARGE = 4 * 1024,
#endif
};

/* A malloc of the arena: a block, or one large piece. */
struct lump {
	struct lump *next;
	alignas(max_align_t) char bytes[];
};

struct later {
	struct later *next;
	void (*release)(void *thing);
	void *thing;
};

struct arena {
	char *at, *end; /* what is left of the block in use */
	size_t next_block;
	struct lump *lumps;
	struct later *laters;
	jmp_buf *escape;
	struct arena *outer; /* of arena_within(): whose work this is part of */
	size_t first_bytes;
	alignas(max_align_t) char first[];
};

static void rewind_to_first(struct arena *arena)
{
	arena->at = arena->first;
	arena->end = arena->first + arena->first_bytes;
	arena->next_block = SECOND_BLOCK;
}

static struct arena *make(size_t first_bytes)
{
	struct arena *arena = malloc(sizeof *arena + first_bytes);

	if (arena == NULL)
		return NULL;
	*arena = (struct arena){.first_bytes = first_bytes};
	rewind_to_first(arena);
	return arena;
}

struct arena *arena_new(void)
{
	return make(FIRST_BLOCK);
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	arena_empty(arena);
	free(arena);
}

jmp_buf *arena_escape(struct arena *arena, jmp_buf *escape)
{
	jmp_buf *before = arena->escape;

	arena->escape = escape;
	return before;
}

_Noreturn void arena_exhausted(struct arena *arena)
{
	while (arena->outer != NULL)
		arena = arena->outer;
	if (arena->escape != NULL)
		longjmp(*arena->escape, 1);
	fputs("exedra: out of memory\n", stderr);
	abort();
}

static char *add_lump(struct arena *arena, size_t bytes)
{
	struct lump *lump;

	if (bytes > PTRDIFF_MAX - sizeof *lump)
		return NULL;
	/* calloc, because the kernel's fresh pages need no second zeroing when the piece is really large */
	lump = calloc(1, sizeof *lump + bytes);
	if (lump == NULL)
		return NULL;
	lump->next = arena->lumps;
	arena->lumps = lump;
	return lump->bytes;
}

static void *take(struct arena *arena, size_t bytes)
{
	char *piece;

	if (bytes == 0)
		bytes = 1;
	if (bytes >= LARGE)
		return add_lump(arena, bytes);
	bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	if ((size_t)(arena->end - arena->at) < bytes) {
		piece = add_lump(arena, arena->next_block);
		if (piece == NULL)
			return NULL;
		arena->at = piece;
		arena->end = piece + arena->next_block;
		if (arena->next_block < LAST_BLOCK)
			arena->next_block *= 2;
	}
	piece = arena->at;
	arena->at += bytes;
	return memset(piece, 0, bytes);
}

void *arena_get(struct arena *arena, size_t bytes)
{
	void *piece = take(arena, bytes);

	if (piece == NULL)
		arena_exhausted(arena);
	return piece;
}

char *arena_copy(struct arena *arena, const char *from, size_t len)
{
	char *copy;

	if (from == NULL)
		return NULL;
	copy = arena_get(arena, len + 1);
	memcpy(copy, from, len);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *from)
{
	return from == NULL ? NULL : arena_copy(arena, from, strlen(from));
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
	va_list again;
	char *text;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0) /* no memory, or longer than INT_MAX */
		arena_exhausted(arena);
	text = arena_get(arena, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, args);
	return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = arena_vprintf(arena, format, args);
	va_end(args);
	return text;
}

void arena_later(struct arena *arena, void (*release)(void *thing), void *thing)
{
	struct later *later = take(arena, sizeof *later);

	if (later == NULL) {
		/* it was ours from the moment of the call, and nobody else will let it go */
		release(thing);
		arena_exhausted(arena);
	}
	later->release = release;
	later->thing = thing;
	later->next = arena->laters;
	arena->laters = later;
}

void arena_empty(struct arena *arena)
{
	struct later *later;
	struct lump *lump;

	/* A release may hand over something more, so the list is read afresh each turn. */
	while ((later = arena->laters) != NULL) {
		arena->laters = later->next;
		later->release(later->thing);
	}
	while ((lump = arena->lumps) != NULL) {
		arena->lumps = lump->next;
		free(lump);
	}
	rewind_to_first(arena);
}

static void free_within(void *arena)
{
	arena_free(arena);
}

struct arena *arena_within(struct arena *outer)
{
	struct arena *inner = make(FIRST_WITHIN);

	if (inner == NULL)
		arena_exhausted(outer);
	inner->outer = outer;
	arena_later(outer, free_within, inner);
	return inner;
}
