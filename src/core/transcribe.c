/* SPDX-License-Identifier: ISC */
#include "core/transcribe.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/field.h"
#include "base/json.h"
#include "base/utf8.h"
#include "core/offer.h"
#include "llm/lenient.h"
#include "llm/provider.h"
#include "store/db.h"
#include "store/secret.h"

enum { MAX_ANSWER = 8 << 20 }; /* a day of speech has about one MB */

const char transcribe_kinds[] = "audio/mpeg\t.mp3 .mpga\n"
				"audio/wav\t.wav\n"
				"audio/ogg\t.ogg .oga .opus\n"
				"audio/mp4\t.m4a\n"
				"audio/flac\t.flac\n"
				"audio/webm\t.weba\n"
				"video/mp4\t.mp4 .m4v .mov\n"
				"video/mpeg\t.mpeg .mpg\n"
				"video/webm\t.webm .mkv\n";

int transcribe_choose(struct task *task, const struct config *config, struct service_setup *setup)
{
	struct own_service own = offer_own_transcription(config);
	PGresult *rows = db_rows(task, &sql_service_transcription, ARGS(own.provider, own.model));

	return rows == NULL ? -1 : offer_read(task, rows, &own, setup);
}

/* ---- the form, whose largest part is sent out of its file ---- */

struct letter {
	int fd;
	struct str *head, *tail;
	size_t size; /* of the file */
};

/* Services know the format by the name's ending, so the ending is that of the content. */
static const char *name_of(struct arena *arena, const struct recording *recording)
{
	size_t len = recording->kind == NULL ? 0 : strcspn(recording->kind, "; ");
	const char *line = transcribe_kinds, *dot;

	for (; len > 0 && *line != '\0'; line += strcspn(line, "\n") + 1)
		if (strncmp(line, recording->kind, len) == 0 && line[len] == '\t') {
			line += len + 1;
			return arena_printf(arena, "file%.*s", (int)strcspn(line, " \n"), line);
		}
	dot = recording->name == NULL ? NULL : strrchr(recording->name, '.');
	if (dot == NULL || strlen(dot) > 6 || dot[1 + strspn(dot + 1, "abcdefghijklmnopqrstuvwxyz0123456789")] != '\0')
		return "file";
	return arena_printf(arena, "file%s", dot);
}

static void put_field(struct str *form, const char *boundary, const char *name, const char *value)
{
	if (value != NULL)
		str_printf(form, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", boundary, name,
			value);
}

static void write_letter(struct arena *arena, const struct recording *recording, const char *model,
	const char *boundary, struct letter *letter)
{
	letter->head = str_new(arena);
	letter->tail = str_new(arena);
	if (*model != '\0')
		put_field(letter->head, boundary, "model", model);
	put_field(letter->head, boundary, "response_format", recording->format == NULL ? "json" : recording->format);
	put_field(letter->head, boundary, "language", recording->language);
	put_field(letter->head, boundary, "prompt", recording->prompt);
	put_field(letter->head, boundary, "temperature", recording->temperature);
	put_field(letter->head, boundary, "timestamp_granularities[]", recording->granularities[0]);
	put_field(letter->head, boundary, "timestamp_granularities[]", recording->granularities[1]);
	str_printf(letter->head,
		"--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\nContent-Type: %s\r\n\r\n",
		boundary, name_of(arena, recording),
		recording->kind == NULL ? "application/octet-stream" : recording->kind);
	str_printf(letter->tail, "\r\n--%s--\r\n", boundary);
}

static ssize_t copy_from(const struct str *text, size_t at, char *to, size_t room)
{
	size_t len = text->len - at < room ? text->len - at : room;

	memcpy(to, text->at + at, len);
	return (ssize_t)len;
}

static ssize_t on_send(void *arg, size_t at, char *to, size_t room)
{
	const struct letter *letter = arg;
	size_t left;

	if (at < letter->head->len)
		return copy_from(letter->head, at, to, room);
	at -= letter->head->len;
	if (at >= letter->size)
		return copy_from(letter->tail, at - letter->size, to, room);
	left = letter->size - at;
	/* What cannot be read would be a shorter body than was announced. */
	left = left < room ? left : room;
	return pread(letter->fd, to, left, (off_t)at) == (ssize_t)left ? (ssize_t)left : -1;
}

static int measure(struct task *task, const struct config *config, int fd, size_t *size)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return fail(task, 503, "disk", "The temporary file cannot be read.");
	*size = (size_t)status.st_size;
	if (*size <= (size_t)config->transcribe_limit_mib << 20)
		return 0;
	return fail(task, 413, "file_too_large",
		"The recording is larger than %d MiB, which is all that is transcribed.", config->transcribe_limit_mib);
}

/* ---- the answer ---- */

static int invalid(struct task *task)
{
	return fail(task, 502, "service_invalid", "The service sent something that is no answer.");
}

/* OpenAI's counts, which others leave out; the oldest of its models counts seconds, which are no tokens. */
static void read_usage(struct task *task, struct json_object *answer, struct transcript *out)
{
	struct json_object *usage = field_get(answer, "usage");
	double heard = -1, said = -1;

	out->said = llm_tokens(out->len);
	if (!json_object_is_type(usage, json_type_object))
		return;
	if (field_number(task, usage, "input_tokens", &heard) < 0 ||
		field_number(task, usage, "output_tokens", &said) < 0)
		fail_clear(task);
	if (heard < 0 || said < 0 || heard > INT32_MAX || said > INT32_MAX)
		return;
	out->heard = (int64_t)heard;
	out->said = (int64_t)said;
	out->counted = true;
}

/* {"text": "..."} */
static int read_json(struct task *task, const struct str *answer, struct transcript *out)
{
	struct task reading = {.arena = answer->arena, .id = task->id, .gone_fd = -1};
	struct json_object *object = json_read(&reading, answer->at, answer->len);
	const char *text = NULL;

	if (!json_object_is_type(object, json_type_object) || field_text(&reading, object, "text", &text) < 0 ||
		text == NULL)
		return invalid(task);
	out->text = text;
	out->len = strlen(text);
	read_usage(&reading, object, out);
	return 0;
}

static int read_answer(
	struct task *task, const struct recording *recording, const struct service_call *call, struct transcript *out)
{
	struct str *clean = str_new(call->arena);
	const char *format = recording->format == NULL ? "json" : recording->format;

	*out = (struct transcript){.type = call->answer_type};
	if (strcmp(format, "json") == 0 || strcmp(format, "verbose_json") == 0)
		lenient_clean(clean, call->answer->at, call->answer->len);
	else
		utf8_clean(&(struct utf8_stream){.n_held = 0}, call->answer->at, call->answer->len, true, clean);
	if (strlen(clean->at) != clean->len)
		return invalid(task);
	if (strcmp(format, "json") == 0)
		return read_json(task, clean, out);
	if (strcmp(format, "verbose_json") == 0 && clean->at[strspn(clean->at, " \t\r\n")] != '{')
		return invalid(task);
	out->text = clean->at;
	out->len = clean->len;
	out->said = llm_tokens(out->len);
	return 0;
}

/* ---- all of it ---- */

static void charge(struct task *task, const struct service_setup *setup, const struct transcript *transcript)
{
	struct arena *arena = task->arena;

	if (db_rows(task, &sql_service_charge,
		    ARGS(setup->provider, setup->model, db_int_arg(arena, transcript->heard),
			    db_int_arg(arena, transcript->said), db_bool_arg(!transcript->counted))) == NULL)
		fail_clear(task);
}

static int none(struct task *task)
{
	return fail(task, 422, "file_audio",
		"It is sound or film, and nobody transcribes it here: transcribe.url is not set.");
}

int transcribe(struct task *task, const struct config *config, const struct recording *recording, struct arena *arena,
	struct transcript *out)
{
	struct letter letter = {.fd = recording->fd};
	struct service_setup setup;
	const char *boundary = arena_printf(arena, "exedra-%s", secret_new_uuid(arena));
	struct service_call call = {.task = task,
		.config = config,
		.setup = &setup,
		.path = "/audio/transcriptions",
		.type = arena_printf(arena, "multipart/form-data; boundary=%s", boundary),
		.send = on_send,
		.arg = &letter,
		.timeout_s = config->transcribe_timeout_s,
		.most = MAX_ANSWER,
		.waits = true,
		.arena = arena};
	int found = transcribe_choose(task, config, &setup);

	if (found <= 0)
		return found < 0 ? -1 : none(task);
	if (measure(task, config, recording->fd, &letter.size) < 0)
		return -1;
	write_letter(arena, recording, setup.model, boundary, &letter);
	call.body_len = letter.head->len + letter.size + letter.tail->len;
	if (service_ask(&call) < 0)
		return -1;
	if (read_answer(task, recording, &call, out) < 0)
		return -1;
	charge(task, &setup, out);
	return 0;
}
