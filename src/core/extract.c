/* SPDX-License-Identifier: ISC */
#include "core/extract.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/field.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"
#include "base/temp.h"
#include "base/turns.h"
#include "core/transcribe.h"

enum {
	GRACE_S = 5,          /* beyond the program's own limit of time */
	TURN_S = 120,         /* for others' files to be read first */
	LOOK_MS = 500,        /* between two looks after the client */
	HEAD_BYTES = 1 << 16, /* of the first line, and of a complaint */
	PIECE_BYTES = 1 << 20,
	NOT_STARTED = -2
};

extern char **environ;

static struct turns turns = {.lock = PTHREAD_MUTEX_INITIALIZER, .left = 1};

void extract_limit(int most)
{
	turns.left = most;
}

/* 0 once it has ended, with its status; -1 when the client has gone, or it took too long: it is ended then. */
static int wait_for(struct task *task, pid_t pid, int seconds, int *status)
{
	struct pollfd wait[2] = {{.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN},
		{.fd = task->gone_fd, .events = POLLRDHUP}};
	int64_t deadline_ms = clock_ms() + seconds * 1000;
	bool ended = false, wanted = true;

	while (!ended && wanted && clock_ms() < deadline_ms) {
		poll(wait, task->gone_fd < 0 ? 1 : 2, LOOK_MS);
		ended = waitpid(pid, status, WNOHANG) == pid;
		wanted = (wait[1].revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0 && !task_is_stopped(task);
	}
	if (!ended) {
		kill(pid, SIGKILL);
		waitpid(pid, status, 0);
	}
	if (wait[0].fd >= 0)
		close(wait[0].fd);
	return ended ? 0 : -1;
}

/* As wait_for(), or NOT_STARTED.  It takes no memory of the task's: where that runs out a turn would stay taken. */
static int run(struct task *task, const struct config *config, char *const *argv, const int fds[3], int *status)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int error, i;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	for (i = 0; i < 3; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none); /* ours are blocked */
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	error = posix_spawn(&pid, config->extract_program, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (error == 0)
		return wait_for(task, pid, config->extract_timeout_s + GRACE_S, status);
	log_event(LOG_ERROR, task, "extract", "program=%s error=\"%s\"", config->extract_program, strerror(error));
	return NOT_STARTED;
}

static int missing(struct task *task)
{
	return fail(task, 503, "extract_missing", "The program that reads files cannot be started.");
}

/* The codes of exedra-extract(8), as literals. */
static const char *known_code(const char *code)
{
	static const char *const known[] = {"file_empty", "file_unknown_kind", "file_broken", "file_encrypted",
		"file_too_large", "file_too_slow", "file_too_hungry", "file_no_text", "file_tool_missing",
		"file_audio"};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(code, known[i]) == 0)
			return known[i];
	return NULL;
}

/* Where it has no room for the text it may have none for its complaint either. */
static bool is_full(int fd)
{
	static const char page[4096];

	return lseek(fd, 0, SEEK_END) >= 0 && temp_write(fd, page, sizeof(page)) < 0;
}

/* Why the program could read nothing: a line of JSON. */
static int refused(struct task *task, int err, int status, struct extracted *out)
{
	struct task reading = {.arena = task->arena, .id = task->id, .gone_fd = -1};
	const char *code = NULL, *message = NULL;
	struct json_object *complaint;
	char line[4096];
	ssize_t len = pread(err, line, sizeof(line), 0);

	complaint = len <= 0 ? NULL : json_read(&reading, line, (size_t)len);
	if (json_object_is_type(complaint, json_type_object)) {
		field_text(&reading, complaint, "code", &code);
		field_text(&reading, complaint, "message", &message);
		field_text(&reading, complaint, "kind", &out->kind);
	}
	if (code != NULL ? strcmp(code, "output_gone") == 0 : is_full(err)) {
		log_event(LOG_ERROR, task, "temp", "error=\"no room for the text of a file\"");
		return fail(task, 503, "disk", "There is no place for the text at the moment.");
	}
	code = code == NULL ? NULL : known_code(code);
	if (code != NULL && message != NULL)
		return fail(task, 422, code, "%s", message);
	log_event(LOG_ERROR, task, "extract", "%s=%d said=\"%.*s\"", WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), len < 0 ? 0 : (int)len, line);
	if (WIFSIGNALED(status)) /* another try would end like this one */
		return fail(task, 422, "file_broken", "The file cannot be read.");
	return fail(task, 503, "extract_failed", "The program that reads files does not work at the moment.");
}

static void read_texts(
	struct task *task, struct json_object *from, const char **title, const char **author, const char **published)
{
	field_text(task, from, "title", title);
	field_text(task, from, "author", author);
	field_text(task, from, "published", published);
}

/* A line of JSON at the beginning of a text: how long it is with its end, 0 when there is none. */
static size_t read_line(struct task *task, const char *text, size_t len, struct json_object **line)
{
	const char *end = memchr(text, '\n', len < HEAD_BYTES ? len : HEAD_BYTES);

	if (end == NULL)
		return 0;
	*line = json_read(task, text, (size_t)(end - text));
	return json_object_is_type(*line, json_type_object) ? (size_t)(end - text) + 1 : 0;
}

static int bad_output(struct task *task)
{
	log_event(LOG_ERROR, task, "extract", "problem=\"what it printed is not what exedra-extract(8) says\"");
	return fail(task, 503, "extract_failed", "The program that reads files does not work at the moment.");
}

/* The next form feed, or the end.  What was passed need not stay in memory: a text may be long. */
static const char *find_feed(const char *text, const char *at, const char *end)
{
	const char *feed = NULL;

	while (feed == NULL && at < end) {
		size_t len = (size_t)(end - at) < PIECE_BYTES ? (size_t)(end - at) : PIECE_BYTES;

		feed = memchr(at, '\f', len);
		at += len;
		if (feed == NULL)
			temp_passed(text, (size_t)(at - text));
	}
	return feed == NULL ? end : feed;
}

/* A form feed begins a part; no text holds one. */
static int split(struct task *task, const char *text, size_t len, struct extracted *out)
{
	const char *at = text, *end = text + len;
	int most = 1, n = 0;

	while ((at = find_feed(text, at, end)) < end) {
		most++;
		at++;
	}
	out->parts = arena_get(task->arena, (size_t)most * sizeof(*out->parts));
	for (at = text; at < end;) {
		struct extract_part *part = &out->parts[n];
		const char *stop;

		if (*at == '\f') {
			struct json_object *line;
			size_t taken = read_line(task, at + 1, (size_t)(end - at - 1), &line);

			if (taken == 0)
				return bad_output(task);
			read_texts(task, line, &part->title, &part->author, &part->published);
			at += 1 + taken;
		}
		stop = find_feed(text, at, end);
		part->text = at;
		part->len = (size_t)(stop - at);
		n += part->len > 0;
		at = stop;
	}
	out->n_parts = n;
	return n > 0 ? 0 : fail(task, 422, "file_no_text", "There is no text in the file.");
}

static int read_output(struct task *task, int fd, struct extracted *out)
{
	struct json_object *head;
	size_t len, taken;
	const char *text = temp_map(task->arena, fd, &len);

	if (text == MAP_FAILED)
		return temp_fail(task, "the text");
	if (text == NULL || (taken = read_line(task, text, len, &head)) == 0)
		return bad_output(task);
	field_text(task, head, "kind", &out->kind);
	field_text(task, head, "description", &out->description);
	read_texts(task, head, &out->title, &out->author, &out->published);
	return split(task, text + taken, len - taken, out);
}

static int run_in_turn(struct task *task, const struct config *config, char *const *argv, const int fds[3], int *status)
{
	int64_t began_us;
	int result;

	if (!turns_take(&turns, task, clock_ms() + TURN_S * 1000)) {
		if (fail_if_stopped(task) < 0)
			return -1;
		task->failure.retry_after_s = 30;
		return fail(task, 503, "busy", "Too many files are being read at the moment.");
	}
	began_us = clock_us();
	result = run(task, config, argv, fds, status);
	metrics_observe(METRIC_EXTRACTION_TIME, 0, clock_us() - began_us);
	turns_give(&turns);
	return result;
}

static int extract(struct task *task, const struct config *config, int fd, const char *name, const char *type,
	struct extracted *out)
{
	struct arena *arena = task->arena;
	const int fds[] = {fd, temp_open(arena), temp_open(arena)};
	char *argv[] = {arena_strdup(arena, "exedra-extract"), arena_strdup(arena, "--parts"),
		arena_printf(arena, "--max-seconds=%d", config->extract_timeout_s),
		arena_printf(arena, "--max-memory=%d", config->extract_memory_mib),
		arena_printf(arena, "--name=%s", name), type == NULL ? NULL : arena_printf(arena, "--type=%s", type),
		NULL};
	int status = 0, result;

	memset(out, 0, sizeof(*out));
	if (fds[1] < 0 || fds[2] < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return temp_fail(task, "a temporary file");
	result = run_in_turn(task, config, argv, fds, &status);
	if (result == NOT_STARTED)
		return missing(task);
	if (task->failure.status != 0)
		return -1;
	if (fail_if_stopped(task) < 0)
		return -1;
	if (result < 0)
		return fail(task, 422, "file_too_slow", "Reading the file took too long.");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return refused(task, fds[2], status, out);
	return read_output(task, fds[1], out);
}

/* ---- sound and film ---- */

static int keep_words(struct task *task, const struct transcript *transcript, struct extracted *out)
{
	int fd = temp_open(task->arena);
	struct extract_part *part = arena_get(task->arena, sizeof(*part));

	if (transcript->text[strspn(transcript->text, " \t\r\n")] == '\0')
		return fail(task, 422, "file_no_text", "Nothing is said in the recording.");
	if (fd < 0 || temp_write(fd, transcript->text, transcript->len) < 0)
		return temp_fail(task, "the text");
	part->text = temp_map(task->arena, fd, &part->len);
	if (part->text == MAP_FAILED)
		return temp_fail(task, "the text");
	out->parts = part;
	out->n_parts = 1;
	return 0;
}

/* A service of models listens to it. */
static int listen_to(struct task *task, const struct config *config, int fd, const char *name, struct extracted *out)
{
	struct arena *small = arena_within(task->arena);
	const struct recording recording = {.fd = fd, .kind = out->kind, .name = name};
	struct transcript transcript;
	int result = transcribe(task, config, &recording, small, &transcript);

	if (result == 0)
		result = keep_words(task, &transcript, out);
	arena_empty(small);
	return result;
}

int extract_file(struct task *task, const struct config *config, int fd, const char *name, const char *type,
	struct extracted *out)
{
	int result = extract(task, config, fd, name, type, out);

	metrics_add(
		METRIC_EXTRACTIONS, metrics_place(LABEL_EXTRACTED, result == 0 ? "done" : task->failure.code), 0, 1);
	if (result == 0 || strcmp(task->failure.code, "file_audio") != 0)
		return result;
	fail_clear(task);
	return listen_to(task, config, fd, name, out);
}

/* ---- what can be read ---- */

static const char *ask_kinds(struct task *task, const struct config *config)
{
	struct arena *arena = task->arena;
	const int fds[] = {temp_open(arena), temp_open(arena), temp_open(arena)};
	char *argv[] = {arena_strdup(arena, "exedra-extract"), arena_strdup(arena, "--kinds"), NULL};
	const char *text = NULL;
	int status = 0, result;
	size_t len;

	if (fds[0] < 0 || fds[1] < 0 || fds[2] < 0) {
		temp_fail(task, "a temporary file");
		return NULL;
	}
	result = run(task, config, argv, fds, &status);
	if (result == NOT_STARTED)
		missing(task);
	if (result == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		text = temp_map(arena, fds[1], &len);
	if (text != NULL && text != MAP_FAILED)
		return arena_copy(arena, text, len);
	fail(task, 503, "extract_failed", "The program that reads files does not work at the moment.");
	return NULL;
}

const char *extract_kinds(struct task *task, const struct config *config)
{
	static char *_Atomic known;
	const char *text = known;
	char *none = NULL, *copy;

	if (text != NULL || (text = ask_kinds(task, config)) == NULL)
		return text;
	copy = strdup(text);
	if (copy != NULL && !atomic_compare_exchange_strong(&known, &none, copy))
		free(copy);
	return text;
}
