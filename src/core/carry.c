/* SPDX-License-Identifier: ISC */
#include "core/carry.h"

#include <ctype.h>
#include <stdint.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "base/utf8.h"
#include "core/describe.h"
#include "store/secret.h"

enum {
	PIECE = 16384,         /* base64 that is decoded at once; a multiple of 4 */
	TOLD_CHARACTERS = 1000 /* of a document, in a source */
};

/* ---- reading ---- */

/* Of a data URI what is behind its comma, and its type; anything else as it is.  NULL: its data are no base64. */
static const char *data_of(struct arena *arena, const char *content, const char **type)
{
	const char *comma;
	size_t len;

	if (strncasecmp(content, "data:", 5) != 0)
		return content;
	comma = strchr(content, ',');
	if (comma == NULL || comma - content < 7 || strncasecmp(comma - 7, ";base64", 7) != 0)
		return NULL;
	len = strcspn(content + 5, ";,");
	*type = len == 0 ? NULL : arena_copy(arena, content + 5, len);
	return comma + 1;
}

/* 0; 1 when it is no base64; -1 with the reason in the task. */
static int add_piece(struct task *task, struct file *file, const char *piece, size_t len)
{
	unsigned char bytes[PIECE / 4 * 3];
	size_t n;

	if (sodium_base642bin(
		    bytes, sizeof(bytes), piece, len, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0)
		return 1;
	return file_add(task, file, (const char *)bytes, n, SIZE_MAX); /* the body had its limit */
}

/* Either alphabet, with or without padding and line ends.  As above. */
static int decode(struct task *task, struct file *file, const char *text)
{
	char piece[PIECE];
	size_t len = strlen(text), n = 0, i;
	int result = 0;

	while (len > 0 && strchr("= \t\r\n", text[len - 1]) != NULL)
		len--;
	for (i = 0; i < len && result == 0; i++) {
		if (isspace((unsigned char)text[i]))
			continue;
		piece[n++] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
		if (n < PIECE)
			continue;
		result = add_piece(task, file, piece, n);
		n = 0;
	}
	return result != 0 ? result : add_piece(task, file, piece, n);
}

static int no_base64(struct task *task, const char *name)
{
	return fail_field(task, 422, "field_type", "attachments",
		"The attachment %s cannot be read: its contentString is no base64.", name);
}

int carry_read(
	struct task *task, const struct config *config, const char *name, const char *content, struct reading *reading)
{
	struct file file = {.uuid = secret_new_uuid(task->arena)};
	const char *data = data_of(task->arena, content, &file.type);
	int result;

	file.name = file_label(task->arena, name == NULL ? "" : name);
	reading->folder = "direct-uploads";
	if (data == NULL)
		return no_base64(task, file.name);
	if (file_open(task, &file) < 0)
		return -1;
	result = decode(task, &file, data);
	if (result > 0)
		return no_base64(task, file.name);
	if (result == 0 && read_passing(task, config, &file, reading) == 0)
		return 0;
	if (task->failure.status == 422)
		task->failure.message = arena_printf(
			task->arena, "The attachment %s cannot be read: %s", file.name, task->failure.message);
	return -1;
}

/* ---- what is made of it ---- */

/* Bytes of so many characters. */
static size_t beginning(const struct document *d, int characters)
{
	size_t at = 0;
	uint32_t code;

	while (characters-- > 0 && at < d->text_len)
		at += (size_t)utf8_read(d->text + at, d->text_len - at, &code);
	return at;
}

static const char *source_of(struct arena *arena, const struct document *d)
{
	struct str *out = str_new(arena);

	str_json_member(out, "{\"text\":",
		arena_printf(arena, "%.*s...continued on in source document...", (int)beginning(d, TOLD_CHARACTERS),
			d->text));
	str_putc(out, ',');
	describe_members(out, d);
	str_printf(out, ",\"token_count_estimate\":%lld", (long long)d->token_estimate);
	str_json_member(out, ",\"location\":", arena_printf(arena, "%s/%s", d->folder, d->name));
	str_puts(out, ",\"isDirectUpload\":true}");
	return out->at;
}

const struct passage *carry_passages(struct arena *arena, const struct document *documents, int n, size_t bytes)
{
	struct passage *passages = arena_get(arena, (size_t)(n + 1) * sizeof(*passages));
	int i;

	for (i = 0; i < n; i++) {
		const struct document *d = &documents[i];
		size_t len = utf8_cut(d->text, d->text_len, bytes);
		const char *text = arena_copy(arena, d->text, len);

		bytes -= len;
		passages[i] = (struct passage){
			.source = source_of(arena, d), .title = d->title, .text = text, .cited = text, .whole = true};
	}
	return passages;
}
