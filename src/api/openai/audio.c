/* SPDX-License-Identifier: ISC
 * Recordings become text, as OpenAI's API has it: passed on to the service that transcribes for the tenant. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "core/file.h"
#include "core/transcribe.h"
#include "store/db.h"
#include "web/reply.h"
#include "web/stream.h"
#include "web/upload.h"

enum { MODEL, LANGUAGE, PROMPT, FORMAT, TEMPERATURE, GRANULARITIES, GRANULARITIES_TOO, STREAM_IT, N_FIELDS };

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static int refuse(struct request *req, const char *name, const char *what)
{
	return fail_field(&req->task, 400, "field_range", name, "%s must be %s.", name, what);
}

/* What goes into another form's lines must not hold any of its own. */
static int check_fields(struct request *req, const struct upload_field *fields)
{
	static const char *const formats[] = {"json", "text", "srt", "verbose_json", "vtt", NULL};
	static const char *const granularities[] = {"word", "segment", NULL};
	static const char *const flags[] = {"true", "false", NULL};
	const char *temperature = fields[TEMPERATURE].value, *language = fields[LANGUAGE].value;
	int i;

	if (fields[FORMAT].value != NULL && !is_one_of(fields[FORMAT].value, formats))
		return refuse(req, "response_format", "json, text, srt, verbose_json or vtt");
	for (i = GRANULARITIES; i <= GRANULARITIES_TOO; i++)
		if (fields[i].value != NULL && !is_one_of(fields[i].value, granularities))
			return refuse(req, "timestamp_granularities[]", "word or segment");
	if (fields[STREAM_IT].value != NULL && !is_one_of(fields[STREAM_IT].value, flags))
		return refuse(req, "stream", "true or false");
	if (temperature != NULL && (*temperature == '\0' || temperature[strspn(temperature, "0123456789.")] != '\0' ||
					   strlen(temperature) > 8 || strtod(temperature, NULL) > 1))
		return refuse(req, "temperature", "a number from 0 to 1");
	if (language != NULL &&
		(strlen(language) > 16 ||
			language[strspn(language, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-")] != '\0'))
		return refuse(req, "language", "the code of a language");
	return 0;
}

/* Nobody waits piece by piece for what is known only as a whole; but who asked for events gets them. */
static int reply_events(struct request *req, const struct transcript *transcript)
{
	struct arena *arena = req->task.arena;
	struct str *text = str_new(arena), *event = str_new(arena);
	struct stream stream;

	str_json(text, transcript->text, transcript->len);
	stream_open(&stream, req, "text/event-stream; charset=utf-8");
	str_printf(event, "{\"type\":\"transcript.text.delta\",\"delta\":%s}", text->at);
	if (stream_event(&stream, event->at, event->len) < 0)
		return 0;
	str_clear(event);
	str_printf(event, "{\"type\":\"transcript.text.done\",\"text\":%s}", text->at);
	stream_event(&stream, event->at, event->len);
	return 0;
}

static int reply_transcript(struct request *req, const char *format, const struct transcript *transcript)
{
	struct str *out = str_new(req->task.arena);

	if (strcmp(format, "verbose_json") == 0)
		return reply_json(req, 200, transcript->text, transcript->len);
	if (strcmp(format, "json") != 0)
		return reply_text(req, 200, transcript->text);
	str_puts(out, "{\"text\":");
	str_json(out, transcript->text, transcript->len);
	if (transcript->counted)
		str_printf(out,
			",\"usage\":{\"type\":\"tokens\",\"input_tokens\":%lld,\"output_tokens\":%lld,\"total_tokens\":"
			"%"
			"lld}",
			(long long)transcript->heard, (long long)transcript->said,
			(long long)(transcript->heard + transcript->said));
	str_puts(out, "}");
	return reply_json(req, 200, out->at, out->len);
}

/* The form's model says nothing about where it goes: which service and model listen is the tenant's choice. */
int openai_transcribe(struct request *req)
{
	struct upload_field fields[N_FIELDS + 1] = {[MODEL] = {.name = "model"},
		[LANGUAGE] = {.name = "language"},
		[PROMPT] = {.name = "prompt"},
		[FORMAT] = {.name = "response_format"},
		[TEMPERATURE] = {.name = "temperature"},
		[GRANULARITIES] = {.name = "timestamp_granularities[]"},
		[GRANULARITIES_TOO] = {.name = "timestamp_granularities[]"},
		[STREAM_IT] = {.name = "stream"}};
	struct file file = {0};
	struct upload form = {
		.file_field = "file", .fields = fields, .file = &file, .open = file_open, .add = file_add};
	struct recording recording = {0};
	struct transcript transcript;
	struct service_setup service;
	int found;
	bool events;

	if (upload_read(req, &form) < 0 || check_fields(req, fields) < 0)
		return -1;
	found = transcribe_choose(&req->task, req->config, &service);
	if (found <= 0)
		return found < 0 ? -1
				 : fail(&req->task, 501, "transcribe_none",
					   "Nobody transcribes recordings here: transcribe.url is not set.");
	events = fields[STREAM_IT].value != NULL && strcmp(fields[STREAM_IT].value, "true") == 0;
	recording = (struct recording){.fd = file.fd,
		.kind = form.type,
		.name = form.filename,
		.format = events ? NULL : fields[FORMAT].value,
		.language = fields[LANGUAGE].value,
		.prompt = fields[PROMPT].value,
		.temperature = fields[TEMPERATURE].value,
		.granularities = {fields[GRANULARITIES].value, fields[GRANULARITIES_TOO].value}};
	if (transcribe(&req->task, req->config, &recording, req->task.arena, &transcript) < 0)
		return -1;
	if (events)
		return reply_events(req, &transcript);
	return reply_transcript(req, recording.format == NULL ? "json" : recording.format, &transcript);
}
