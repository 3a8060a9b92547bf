/* SPDX-License-Identifier: ISC */
#include "web/upload.h"

#include <string.h>

#include "base/utf8.h"
#include "web/limits.h"
#include "web/multipart.h"

/* A form under way. */
struct reader {
	struct request *req;
	struct upload *upload;
	struct multipart form;
	bool in_file;
	struct upload_field *field; /* whose value is coming; NULL: nobody wants it */
	struct str *value;
};

/* The media type as we understood it: what the part says beyond that goes no further. */
static const char *type_of(struct arena *arena, const struct multipart_part *part)
{
	if (part->type == NULL || part->charset == NULL)
		return arena_strdup(arena, part->type);
	return arena_printf(arena, "%s; charset=%s", part->type, part->charset);
}

static int begin_file(struct reader *reader, const struct multipart_part *part)
{
	struct upload *upload = reader->upload;
	struct task *task = &reader->req->task;

	/* A browser sends a field that was left empty as a file without a name. */
	if (*part->filename == '\0')
		return 0;
	if (strcmp(part->name, upload->file_field) != 0 || upload->filename != NULL)
		return fail(task, 400, "file_unexpected", "Invalid file upload. Unexpected field");
	upload->filename = arena_strdup(task->arena, part->filename);
	upload->type = type_of(task->arena, part);
	reader->in_file = true;
	return upload->open(task, upload->file);
}

static int on_part(void *arg, const struct multipart_part *part)
{
	struct reader *reader = arg;
	struct upload_field *field, *full = NULL;

	if (part->filename != NULL)
		return begin_file(reader, part);
	for (field = reader->upload->fields; field->name != NULL; field++) {
		if (strcmp(field->name, part->name) != 0)
			continue;
		if (field->value == NULL) {
			reader->field = field;
			reader->value = str_new(reader->req->task.arena);
			return 0;
		}
		full = field;
	}
	if (full != NULL)
		full->twice = true;
	return 0;
}

static int on_data(void *arg, const char *bytes, size_t len)
{
	struct reader *reader = arg;
	struct task *task = &reader->req->task;

	if (reader->in_file)
		return reader->upload->add(task, reader->upload->file, bytes, len, LIMIT_UPLOAD);
	if (reader->field == NULL)
		return 0;
	if (reader->value->len + len > UPLOAD_FIELD)
		return fail_field(task, 422, "field_range", reader->field->name, "%s must have at most %d bytes.",
			reader->field->name, UPLOAD_FIELD);
	str_add(reader->value, bytes, len);
	return 0;
}

static int on_part_end(void *arg)
{
	struct reader *reader = arg;
	struct upload_field *field = reader->field;

	reader->in_file = false;
	reader->field = NULL;
	if (field == NULL)
		return 0;
	field->value = reader->value->at;
	field->len = reader->value->len;
	if (strlen(field->value) == field->len && utf8_valid(field->value, field->len))
		return 0;
	return fail_field(&reader->req->task, 422, "field_type", field->name, "%s must be text in UTF-8.", field->name);
}

static int refuse(struct reader *reader)
{
	const struct multipart_fault *fault = &reader->form.fault;

	if (fault->code == NULL)
		return -1;
	if (strcmp(fault->code, "multipart_type") == 0)
		return fail(
			&reader->req->task, 415, "type_unsupported", "This route takes a form (multipart/form-data).");
	return fail(&reader->req->task, 400, fault->code, "The form cannot be read: %s, at byte %zu.", fault->what,
		fault->at);
}

static int take(void *arg, const char *bytes, size_t len)
{
	struct reader *reader = arg;

	return multipart_feed(&reader->form, bytes, len) < 0 ? refuse(reader) : 0;
}

int upload_read(struct request *req, struct upload *upload)
{
	struct reader reader = {.req = req, .upload = upload};
	const struct multipart_events events = {on_part, on_data, on_part_end, &reader};

	if (multipart_open(&reader.form, req->task.arena, wire_param(req->wire, "CONTENT_TYPE"), &events, NULL) < 0)
		return refuse(&reader);
	if (request_read_pieces(req, LIMIT_UPLOAD, take, &reader) < 0)
		return -1;
	if (multipart_end(&reader.form) < 0)
		return refuse(&reader);
	req->task.gone_fd = wire_gone_fd(req->wire);
	if (upload->filename == NULL)
		return fail_field(&req->task, 400, "file_missing", upload->file_field,
			"There is no file with a name in the form.");
	return 0;
}
