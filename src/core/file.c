/* SPDX-License-Identifier: ISC */
#include "core/file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/temp.h"
#include "base/utf8.h"
#include "store/db.h"
#include "store/secret.h"

enum { PART_BYTES = 262144, LABEL_BYTES = 255 };

int file_open(struct task *task, struct file *file)
{
	file->size = 0;
	file->meta = file->meta == NULL ? "{}" : file->meta;
	file->fd = temp_open(task->arena);
	if (file->fd >= 0)
		return 0;
	return temp_fail(task, "a temporary file");
}

int file_add(struct task *task, struct file *file, const char *bytes, size_t len, size_t most)
{
	if (len > most || file->size > most - len)
		return fail(task, 413, "file_too_large", "The file is larger than %zu MiB.", most >> 20);
	if (temp_write(file->fd, bytes, len) < 0)
		return temp_fail(task, "the file");
	file->size += len;
	return 0;
}

const char *file_label(struct arena *arena, const char *name)
{
	struct str *label = str_new(arena);
	const char *at, *base = name;

	for (at = name; *at != '\0'; at++)
		if (*at == '/' || *at == '\\')
			base = at + 1;
	for (at = base; *at != '\0'; at++)
		if ((unsigned char)*at >= 0x20 && *at != 0x7f)
			str_putc(label, *at);
	label->at[utf8_cut(label->at, label->len, LABEL_BYTES)] = '\0';
	return label->at[strspn(label->at, ". ")] == '\0' ? "file" : label->at;
}

static int begin(struct task *task, struct file *file, const char *state)
{
	PGresult *rows = db_rows(task, &sql_file_begin,
		ARGS(file->name, file->type, file->meta, db_int_arg(task->arena, (int64_t)file->size), state));

	if (rows == NULL)
		return -1;
	file->id = db_text(rows, 0, "id");
	file->uuid = db_text(rows, 0, "uuid");
	return 0;
}

/* The reader's bytes as parts, each in a transaction of its own. */
static int write_parts(struct task *task, struct file *file)
{
	struct arena *small = arena_within(task->arena);
	size_t at = 0;
	int no = 0;

	while (at < file->size) {
		char *bytes = arena_get(small, PART_BYTES);
		ssize_t got = pread(file->fd, bytes, PART_BYTES, (off_t)at);
		const char *args[] = {file->id, db_int_arg(small, no++), bytes};
		const int lengths[] = {0, 0, (int)got};
		struct db_call call = {.stmt = &sql_file_write, .args = args, .n_args = 3, .lengths = lengths};

		if (got <= 0)
			return fail(task, 503, "disk", "The temporary file cannot be read.");
		if (db_run_in(small, task, &call, 1) < 0)
			return -1;
		arena_empty(small);
		at += (size_t)got;
	}
	return 0;
}

static int receive(struct task *task, struct file *file, const char *state)
{
	const char *args[] = {
		file->id, db_int_arg(task->arena, (int64_t)file->size), (const char *)file->sha256, state};
	const int lengths[] = {0, 0, sizeof(file->sha256), 0};
	struct db_call call = {.stmt = &sql_file_receive, .args = args, .n_args = 4, .lengths = lengths};

	return db_run(task, &call, 1);
}

int file_store(struct task *task, struct file *file, const char *state)
{
	bool bulk = task->bulk;
	int result;

	if (secret_sha256_file(file->fd, file->sha256) < 0)
		return fail(task, 503, "disk", "The temporary file cannot be read.");
	if (begin(task, file, "receiving") < 0)
		return -1;
	task->bulk = true;
	result = write_parts(task, file) < 0 ? -1 : receive(task, file, state);
	task->bulk = bulk;
	if (result < 0)
		file_drop(task, file);
	return result;
}

int file_store_empty(struct task *task, struct file *file, size_t size)
{
	file->size = size;
	return begin(task, file, "receiving");
}

int file_settle(struct task *task, const struct file *file, const char *state, const char *reason)
{
	PGresult *rows = db_rows(task, &sql_file_settle, ARGS(file->id, state, reason));

	if (rows == NULL)
		return -1;
	return PQntuples(rows) == 1 ? 0 : fail(task, 404, "file_unknown", "The file is gone.");
}

/* What follows a failure does not hide it. */
static int take_away(struct task *task, const struct stmt *stmt, const struct file *file)
{
	struct failure failure = task->failure;
	int result = 0;

	fail_clear(task);
	if (db_rows(task, stmt, ARGS(file->id)) == NULL) {
		log_event(LOG_WARNING, task, "file_left", "file=%s", file->id);
		result = -1;
	}
	if (failure.status != 0)
		task->failure = failure;
	return result;
}

int file_clear(struct task *task, const struct file *file)
{
	return take_away(task, &sql_file_clear, file);
}

void file_drop(struct task *task, const struct file *file)
{
	take_away(task, &sql_file_delete, file);
}

/* The next part in *bytes, which belongs to the arena: its length, 0 at the end, -1 on failure. */
static int read_part(struct task *task, struct arena *small, const char *id, int no, const char **bytes)
{
	const char *args[] = {id, db_int_arg(small, no)};
	struct db_call call = {.stmt = &sql_file_read, .args = args, .n_args = 2, .binary = true};

	if (db_run_in(small, task, &call, 1) < 0)
		return -1;
	if (PQntuples(call.rows) == 0)
		return 0;
	*bytes = PQgetvalue(call.rows, 0, 0);
	return PQgetlength(call.rows, 0, 0);
}

int file_load(struct task *task, struct file *file)
{
	struct arena *small = arena_within(task->arena);
	const char *bytes;
	int no, got;

	if (file_open(task, file) < 0)
		return -1;
	for (no = 0; (got = read_part(task, small, file->id, no, &bytes)) > 0; no++) {
		if (file_add(task, file, bytes, (size_t)got, SIZE_MAX) < 0)
			return -1;
		arena_empty(small);
	}
	return got;
}
