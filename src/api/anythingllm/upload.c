/* SPDX-License-Identifier: ISC */
#include "web/upload.h"

#include <string.h>

#include "api/anythingllm/folder.h"
#include "api/anythingllm/stored.h"
#include "api/api.h"

enum { METADATA, WORKSPACES };

/* What the form says beside the file. */
static int read_fields(struct request *req, const struct upload_field *fields, struct reading *reading,
	struct file *file, struct slugs *slugs)
{
	const struct upload_field *metadata = &fields[METADATA];
	struct json_object *object = NULL;

	if (fields[WORKSPACES].twice)
		return stored_refuse_slugs(req, "object");
	stored_slugs(req, fields[WORKSPACES].value, slugs);
	if (metadata->twice)
		return fail_field(&req->task, 422, "field_type", "metadata", "metadata must be given once.");
	if (metadata->len == 0)
		return 0;
	if (stored_metadata_text(req, metadata->value, metadata->len, &object) < 0)
		return -1;
	if (object != NULL)
		file->meta = metadata->value;
	return stored_reading(req, object, reading);
}

static int upload(struct request *req, struct reading *reading)
{
	struct file file = {0};
	struct upload_field fields[] = {
		[METADATA] = {.name = "metadata"}, [WORKSPACES] = {.name = "addToWorkspaces"}, {0}};
	struct upload form = {
		.file_field = "file", .fields = fields, .file = &file, .open = file_open, .add = file_add};
	struct slugs slugs;

	if (upload_read(req, &form) < 0 || read_fields(req, fields, reading, &file, &slugs) < 0)
		return -1;
	file.name = file_label(req->task.arena, form.filename);
	file.type = form.type;
	if (stored_read(req, &file, reading) < 0) {
		stored_reword(&req->task, arena_printf(req->task.arena, "No text content found in %s.", file.name),
			file.name);
		return -1;
	}
	stored_place(req, reading->documents, reading->n_documents, &slugs);
	return stored_reply(req, reading->documents, reading->n_documents, reading->folder != NULL);
}

int anythingllm_document_upload(struct request *req)
{
	struct reading reading = {0};

	return upload(req, &reading);
}

int anythingllm_document_upload_to(struct request *req)
{
	struct reading reading = {.folder = request_param(req, "folderName")};

	if (!folder_name_valid(reading.folder))
		return fail(&req->task, 400, "folder_invalid", "This is no name for a folder.");
	if (strcmp(reading.folder, FOLDER_PRESET) == 0)
		reading.folder = NULL;
	return upload(req, &reading);
}
