/* SPDX-License-Identifier: ISC
 * Promised: zeroed aligned memory that never is NULL, releases last in first out, a way out when memory ends,
 * and an arena that can be used again; and of a task: the first failure stays. */
#include "base/arena.h"

#include <signal.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/task.h"
#include "tap.h"

#ifdef __SANITIZE_ADDRESS__
/* a malloc that is refused returns NULL, as it does without the sanitizer */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}
#endif

static char trace[64];

static void leave_trace(void *thing)
{
	strcat(trace, thing);
}

static void test_pieces(struct arena *arena)
{
	static const size_t sizes[] = {0, 1, 7, 8, 15, 16, 17, 100, 4095, 4096, 4097, 16383, 16384, 16385, 1000000};
	bool is_zero = true, is_aligned = true;

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			unsigned char *piece = arena_get(arena, sizes[i]);

			is_aligned &= (uintptr_t)piece % alignof(max_align_t) == 0;
			for (size_t at = 0; at < sizes[i]; at++)
				is_zero &= piece[at] == 0;
			memset(piece, 0xA5, sizes[i]);
		}
		arena_empty(arena);
	}
	ok(is_zero, "memory is zeroed, used before or not");
	ok(is_aligned, "memory is aligned for any type");
}

static void test_many(struct arena *arena)
{
	enum { N = 20000 };
	unsigned **pieces = malloc(N * sizeof *pieces);
	bool is_whole = true;

	for (unsigned i = 0; i < N; i++) {
		pieces[i] = arena_get(arena, sizeof **pieces * (1 + i % 40));
		for (unsigned k = 0; k < 1 + i % 40; k++)
			pieces[i][k] = i;
	}
	for (unsigned i = 0; i < N; i++)
		for (unsigned k = 0; k < 1 + i % 40; k++)
			is_whole &= pieces[i][k] == i;
	ok(is_whole, "20000 pieces do not overlap");
	free(pieces);
	arena_empty(arena);
}

static void test_texts(struct arena *arena)
{
	char *text;

	is_text(arena_strdup(arena, "a text"), "a text", "arena_strdup copies");
	is_text(arena_strdup(arena, NULL), NULL, "arena_strdup keeps NULL");
	is_text(arena_copy(arena, NULL, 0), NULL, "arena_copy keeps NULL");
	text = arena_copy(arena, "a\0b", 3);
	is_bytes(text, 4, "a\0b", 4, "arena_copy copies any bytes and ends them");
	is_text(arena_copy(arena, "abc", 0), "", "arena_copy of nothing is empty");
	is_text(arena_printf(arena, "%s %d", "seven", 7), "seven 7", "arena_printf");
	text = arena_printf(arena, "%20000d", 1);
	is_int((intmax_t)strlen(text), 20000, "arena_printf of more than a block");
}

static struct arena *handing_over;

static void hand_over(void *thing)
{
	leave_trace(thing);
	arena_later(handing_over, leave_trace, "x");
	memset(arena_get(handing_over, 10000), 1, 10000);
}

static void test_later(struct arena *arena)
{
	char *owned = arena_strdup(arena, "c");

	trace[0] = '\0';
	arena_later(arena, leave_trace, "a");
	arena_later(arena, leave_trace, "b");
	arena_later(arena, leave_trace, owned);
	arena_empty(arena);
	is_text(trace, "cba", "releases come last in first out, before the memory goes");
	arena_empty(arena);
	is_text(trace, "cba", "and once");

	trace[0] = '\0';
	handing_over = arena;
	arena_later(arena, leave_trace, "1");
	arena_later(arena, hand_over, "2");
	arena_empty(arena);
	is_text(trace, "2x1", "a release may take memory and hand over more");
}

static void test_escape(struct arena *arena)
{
	static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 8, SIZE_MAX - 64, PTRDIFF_MAX, PTRDIFF_MAX - 64};
	jmp_buf escape;

	trace[0] = '\0';
	arena_later(arena, leave_trace, "r");
	arena_escape(arena, &escape);
	for (volatile size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		volatile int came = 0;

		if (setjmp(escape) == 0)
			arena_get(arena, sizes[i]);
		else
			came = 1;
		ok(came == 1, "%zu bytes lead to the escape", sizes[i]);
	}
	is_text(trace, "", "the escape releases nothing");
	arena_empty(arena);
	is_text(trace, "r", "the arena can still be emptied");
	ok(arena_get(arena, 100) != NULL, "and used");
	arena_escape(arena, NULL);
}

static void test_abort(void)
{
	char said[200] = "";
	int ends[2], status = 0;
	ssize_t n;
	pid_t child;

	fflush(NULL);
	if (pipe(ends) < 0 || (child = fork()) < 0)
		return;
	if (child == 0) {
		struct arena *arena = arena_new();

		dup2(ends[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		arena_exhausted(arena);
	}
	close(ends[1]);
	n = read(ends[0], said, sizeof said - 1);
	close(ends[0]);
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "without an escape the process aborts");
	is_text(n > 0 ? said : "", "exedra: out of memory\n", "with one line");
}

static void test_failure(struct arena *arena)
{
	struct task task = {.arena = arena};
	char field[] = "name";

	is_int(fail_field(&task, 422, "name_empty", field, "%s is empty", field), -1, "fail_field returns -1");
	field[0] = 'N';
	is_int(fail(&task, 500, "other", "later"), -1, "fail returns -1");
	is_int(task.failure.status, 422, "the first failure stays");
	is_text(task.failure.code, "name_empty", "with its code");
	is_text(task.failure.message, "name is empty", "its message");
	is_text(task.failure.field, "name", "and a copy of its field");
	fail_clear(&task);
	is_int(task.failure.status, 0, "fail_clear forgets");
	fail(&task, 404, "thread_gone", "gone");
	is_int(task.failure.status, 404, "and another may come");
	is_text(task.failure.field, NULL, "that has no field");
}

int main(void)
{
	struct arena *arena = arena_new();

	test_pieces(arena);
	test_many(arena);
	test_texts(arena);
	test_later(arena);
	test_escape(arena);
	test_abort();
	test_failure(arena);
	arena_free(arena);
	arena_free(NULL);
	return done_testing();
}
