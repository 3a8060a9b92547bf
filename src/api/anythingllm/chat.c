/* SPDX-License-Identifier: ISC
 * AnythingLLM's chat and stream-chat: one question, its answer as one object or as events. */
#include <string.h>
#include <strings.h>

#include "api/anythingllm/chunk.h"
#include "api/api.h"
#include "base/field.h"
#include "base/json.h"
#include "core/carry.h"
#include "core/chat.h"
#include "core/opening.h"
#include "store/secret.h"
#include "web/reply.h"
#include "web/stream.h"

enum { MAX_ATTACHMENTS = 32 };

struct talk {
	struct request *req;
	struct chat chat;
	struct json_object **documents; /* attachments that are to be read */
	int n_documents;
	struct stream stream;
	struct str *event;
	const char *uuid; /* one for the whole reply */
	bool streamed, reset, in_thread;
};

/* ---- the question ---- */

/* A session id is cast to a string; clients send numbers too. */
static int read_session(struct talk *talk)
{
	struct json_object *value = field_get(talk->req->json, "sessionId");

	if (value == NULL || talk->in_thread) /* a thread is a conversation already */
		return 0;
	if (!json_object_is_type(value, json_type_string) && !json_object_is_type(value, json_type_int))
		return field_refuse(&talk->req->task, "sessionId", "a string");
	talk->chat.session = json_object_get_string(value);
	if (*talk->chat.session == '\0')
		talk->chat.session = NULL;
	else if (strlen(talk->chat.session) > 1024)
		return fail_field(
			&talk->req->task, 422, "field_range", "sessionId", "sessionId is longer than 1024 bytes.");
	return 0;
}

static const char *member(struct json_object *item, const char *name)
{
	return json_object_get_string(field_get(item, name));
}

static int check_attachment(struct task *task, struct json_object *item)
{
	const char *mime = NULL, *content = NULL, *name = NULL;

	if (!json_object_is_type(item, json_type_object))
		return field_refuse(task, "attachments", "an array of objects");
	if (field_text(task, item, "mime", &mime) < 0 || field_text(task, item, "contentString", &content) < 0 ||
		field_text(task, item, "name", &name) < 0)
		return -1;
	if (content == NULL || *content == '\0')
		return fail_field(task, 422, "field_type", "attachments", "An attachment has no contentString.");
	return 0;
}

static bool is_document(struct json_object *item)
{
	const char *mime = member(item, "mime");

	return mime != NULL && strcasecmp(mime, "application/anythingllm-document") == 0;
}

/* Images stay with the chat; documents are for its answer only. */
static int read_attachments(struct talk *talk)
{
	struct arena *arena = talk->req->task.arena;
	struct json_object *list = NULL;
	struct str *kept = str_new(arena);
	const char **images;
	size_t n, n_images = 0, i;

	talk->chat.attachments = "[]";
	if (field_array(&talk->req->task, talk->req->json, "attachments", &list) < 0)
		return -1;
	if (list == NULL || (n = json_object_array_length(list)) == 0)
		return 0;
	if (n > MAX_ATTACHMENTS)
		return fail_field(&talk->req->task, 400, "field_range", "attachments",
			"A chat takes %d attachments at most.", MAX_ATTACHMENTS);
	images = arena_get(arena, (n + 1) * sizeof(*images));
	talk->documents = arena_get(arena, n * sizeof(*talk->documents));
	for (i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		if (check_attachment(&talk->req->task, item) < 0)
			return -1;
		if (is_document(item)) {
			talk->documents[talk->n_documents++] = item;
			continue;
		}
		images[n_images++] = member(item, "contentString");
		str_printf(kept, "%s%s", kept->len == 0 ? "[" : ",", json_text(talk->req->task.arena, item));
	}
	if (n_images == 0)
		return 0;
	str_putc(kept, ']');
	talk->chat.images = images;
	talk->chat.attachments = kept->at;
	return 0;
}

static bool known_mode(const char *mode)
{
	return mode == NULL || strcmp(mode, "chat") == 0 || strcmp(mode, "query") == 0 ||
	       strcmp(mode, "automatic") == 0;
}

/* An account's id, for thread calls: the chat is that account's then.  An unknown one is nobody. */
static int read_act_as(struct talk *talk)
{
	struct json_object *value = field_get(talk->req->json, "userId");

	if (value == NULL || !talk->in_thread)
		return 0;
	if (!json_object_is_type(value, json_type_int))
		return field_refuse(&talk->req->task, "userId", "a whole number");
	if (json_object_get_int64(value) != 0) /* 0 names nobody, as in thread/new */
		talk->chat.act_as = json_object_get_string(value);
	return 0;
}

/* The calls within threads tell what is not there in words and statuses of their own. */
static int tell_unknown(struct talk *talk)
{
	struct failure *failure = &talk->req->task.failure;
	bool workspace = strcmp(failure->code, "workspace_unknown") == 0;
	const struct chat *chat = &talk->chat;

	if (!talk->in_thread || (!workspace && strcmp(failure->code, "thread_unknown") != 0))
		return -1;
	failure->status = talk->streamed ? 400 : 404;
	if (talk->streamed)
		failure->message = arena_printf(
			talk->req->task.arena, "Workspace %s or thread %s is not valid.", chat->slug, chat->thread);
	else if (workspace)
		failure->message = arena_printf(talk->req->task.arena, "Workspace %s not found.", chat->slug);
	return -1;
}

/* What is wrong with the question is told only when the workspace is there. */
static int refuse(struct talk *talk)
{
	struct task *task = &talk->req->task;
	struct failure failure = task->failure;

	fail_clear(task);
	if (opening_find(task, talk->chat.slug, talk->chat.thread) < 0)
		return tell_unknown(talk);
	task->failure = failure;
	return -1;
}

static int read_question(struct talk *talk)
{
	struct request *req = talk->req;
	struct json_object *message = field_get(req->json, "message");

	if (field_bool(&req->task, req->json, "reset", &talk->reset) < 0 || read_session(talk) < 0 ||
		read_act_as(talk) < 0 || read_attachments(talk) < 0 ||
		field_text(&req->task, req->json, "mode", &talk->chat.mode) < 0)
		return refuse(talk);
	if (json_object_is_type(message, json_type_string) && json_object_get_string_len(message) > 0)
		talk->chat.message = json_object_get_string(message);
	/* A reset asks for no message, and passes over a mode that is none. */
	if (talk->reset && !known_mode(talk->chat.mode))
		talk->chat.mode = "chat";
	if (talk->reset)
		return 0;
	if (talk->chat.message == NULL)
		fail_field(&req->task, 400, "message_empty", "message", "Message is empty");
	else if (!known_mode(talk->chat.mode))
		fail_field(&req->task, 400, "mode_invalid", "mode", "%.100s is not a valid mode.", talk->chat.mode);
	else
		return 0;
	return refuse(talk);
}

/* ---- documents that it brings along ---- */

static void carry(struct talk *talk, const struct reading *reading)
{
	struct chat *chat = &talk->chat;
	size_t n = (size_t)(chat->n_carried + reading->n_documents);
	struct document *all = arena_get(talk->req->task.arena, (n + 1) * sizeof(*all));

	if (chat->n_carried > 0)
		memcpy(all, chat->carried, (size_t)chat->n_carried * sizeof(*all));
	memcpy(all + chat->n_carried, reading->documents, (size_t)reading->n_documents * sizeof(*all));
	chat->carried = all;
	chat->n_carried = (int)n;
}

/* Before the question is on record: one that cannot be read is told by its name.  The caller must have somebody to ask
 * first. */
static int read_documents(struct talk *talk)
{
	struct task *task = &talk->req->task;
	int i;

	if (talk->n_documents == 0 || talk->chat.message == NULL)
		return 0;
	if (opening_find(task, talk->chat.slug, talk->chat.thread) < 0)
		return tell_unknown(talk);
	for (i = 0; i < talk->n_documents; i++) {
		struct json_object *item = talk->documents[i];
		struct reading reading = {0};

		if (carry_read(task, talk->req->config, member(item, "name"), member(item, "contentString"), &reading) <
			0)
			return -1;
		carry(talk, &reading);
	}
	return 0;
}

/* ---- the events ---- */

static int send_chunk(struct talk *talk, const char *text, size_t len, bool close)
{
	return chunk_send(&talk->stream, talk->event, talk->uuid, text, len, close);
}

static int on_text(struct chat *chat, const char *text, size_t len)
{
	struct talk *talk = chat->dialect;

	return talk->streamed ? send_chunk(talk, text, len, false) : 0;
}

/* A sign of life that every client takes for an empty piece of text: comments are unknown in this dialect. */
static int on_silence(struct chat *chat)
{
	struct talk *talk = chat->dialect;

	return talk->streamed ? send_chunk(talk, "", 0, false) : 0;
}

static bool on_gone(struct chat *chat)
{
	struct talk *talk = chat->dialect;

	return wire_gone(talk->req->wire);
}

static const struct chat_sink sink = {.text = on_text, .silence = on_silence, .gone = on_gone};

static int send_finalize(struct talk *talk, bool empty)
{
	const struct chat *chat = &talk->chat;
	struct str *event = talk->event;

	str_clear(event);
	str_printf(event, "{\"uuid\":\"%s\",\"type\":\"finalizeResponseStream\",\"close\":true,\"error\":false",
		talk->uuid);
	if (!empty)
		str_printf(event, ",\"chatId\":%lld,\"metrics\":%s,\"sources\":%s", (long long)chat->id, chat->metrics,
			chat->sources);
	str_puts(event, "}");
	return stream_event(&talk->stream, event->at, event->len);
}

/* One object that says all: a refusal, a bare reset, or the answer itself. */
static int send_whole(struct talk *talk, const char *text, bool attachments, bool answered)
{
	const struct chat *chat = &talk->chat;
	struct str *event = talk->event;

	str_clear(event);
	str_printf(event, "{\"id\":\"%s\",\"type\":\"textResponse\",\"textResponse\":", talk->uuid);
	str_json_text(event, text);
	str_printf(event, ",\"sources\":%s%s,\"close\":true,\"error\":null", answered ? chat->sources : "[]",
		attachments && talk->streamed ? ",\"attachments\":[]" : "");
	if (answered)
		str_printf(event, ",\"chatId\":%lld", (long long)chat->id);
	str_printf(event, ",\"metrics\":%s}", answered ? chat->metrics : "{}");
	if (talk->streamed)
		return stream_event(&talk->stream, event->at, event->len);
	return reply_json(talk->req, 200, event->at, event->len);
}

static int send_empty(struct talk *talk)
{
	if (talk->streamed) {
		send_chunk(talk, "", 0, true);
		return send_finalize(talk, true);
	}
	return reply_json_printf(talk->req, 200,
		"{\"id\":\"%s\",\"type\":\"abort\",\"textResponse\":null,\"sources\":[],\"close\":true,"
		"\"error\":\"No text completion could be completed with this input.\",\"metrics\":%s}",
		talk->uuid, talk->chat.metrics);
}

/* The stream broke after it had begun: say so, then what has been kept. */
static void send_abort(struct talk *talk)
{
	struct str *event = talk->event;

	str_clear(event);
	str_printf(event,
		"{\"uuid\":\"%s\",\"type\":\"abort\",\"textResponse\":null,\"sources\":[],\"close\":true,\"error\":",
		talk->uuid);
	str_json_text(event, talk->req->task.failure.message);
	str_puts(event, "}");
	stream_event(&talk->stream, event->at, event->len);
	if (talk->chat.id != 0)
		send_finalize(talk, !talk->chat.stored || talk->chat.answer->len == 0);
}

static int send_outcome(struct talk *talk)
{
	struct chat *chat = &talk->chat;

	switch (chat->end) {
	case CHAT_ANSWERED:
		if (!talk->streamed)
			return send_whole(talk, chat->answer->at, false, true);
		/* Two events say close; only the second has the sources.  Clients rely on both. */
		send_chunk(talk, "", 0, true);
		return send_finalize(talk, false);
	case CHAT_REFUSED:
		return send_whole(talk, chat->answer->at, chat->refused_early, false);
	case CHAT_EMPTY:
		return send_empty(talk);
	default:
		return 0;
	}
}

static int ask(struct request *req, bool streamed)
{
	struct talk *talk = arena_get(req->task.arena, sizeof(*talk));

	talk->req = req;
	talk->streamed = streamed;
	talk->event = str_new(req->task.arena);
	talk->uuid = secret_new_uuid(req->task.arena);
	talk->chat = (struct chat){.task = &req->task,
		.config = req->config,
		.slug = request_param(req, "slug"),
		.thread = request_param(req, "threadSlug"),
		.origin = "api",
		.sink = &sink,
		.dialect = talk};
	talk->in_thread = talk->chat.thread != NULL;
	stream_open(&talk->stream, req, "text/event-stream");
	if (read_question(talk) < 0 || read_documents(talk) < 0)
		return -1;
	if (talk->reset && opening_reset(&talk->chat) < 0)
		return tell_unknown(talk);
	if (talk->reset && talk->chat.message == NULL) {
		send_whole(talk, "Chat history was reset!", true, false);
		return 0;
	}
	if (chat_run(&talk->chat) < 0) {
		if (!talk->stream.begun)
			return tell_unknown(talk);
		send_abort(talk);
		return 0;
	}
	send_outcome(talk);
	return 0;
}

int anythingllm_chat(struct request *req)
{
	return ask(req, false);
}

int anythingllm_stream_chat(struct request *req)
{
	return ask(req, true);
}
