/* SPDX-License-Identifier: ISC
 * What the chat widget in a web page calls: a visitor asks, looks back, begins anew.  There is no key; the embed's
 * address and the page's origin decide. */
#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/anythingllm/chunk.h"
#include "api/api.h"
#include "base/field.h"
#include "base/tally.h"
#include "base/utf8.h"
#include "core/chat.h"
#include "store/db.h"
#include "store/secret.h"
#include "web/reply.h"
#include "web/stream.h"

enum { MESSAGE_BYTES = 32768, ORIGIN_BYTES = 300, NAME_BYTES = 300, HISTORY_CHATS = 500 };

struct visit {
	struct request *req;
	struct chat chat;
	struct stream stream;
	struct str *event;
	const char *uuid; /* one for the whole reply */
	const char *origin;
	double temperature;
};

/* ---- who visits ---- */

/* The origin of the page, or NULL: not said, or nothing a browser would say. */
static const char *origin_of(struct request *req)
{
	const char *origin = wire_param(req->wire, "HTTP_ORIGIN"), *at;

	if (origin == NULL || *origin == '\0' || strlen(origin) > ORIGIN_BYTES)
		return NULL;
	for (at = origin; *at != '\0'; at++)
		if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
			return NULL;
	return origin;
}

static const char *enter(struct request *req)
{
	struct identity *who = &req->task.identity;
	const char *tenant = wire_param(req->wire, "EXEDRA_TENANT");

	who->entry = ENTER_BY_EMBED;
	who->embed = request_param(req, "embedUuid");
	who->read_only = req->method == GET || req->method == OPTIONS;
	who->tenant_name = tenant == NULL || *tenant == '\0' ? NULL : tenant;
	return origin_of(req);
}

/* Tell the browser that the page may read the answer, if it may. */
static void admit(struct request *req, PGresult *rows, const char *origin)
{
	if (db_true(rows, 0, "lets"))
		req->reader = db_true(rows, 0, "anywhere") ? "*" : origin;
}

/* The row is there: entering has found the address.  But another transaction may have deleted it since. */
static int gone(struct request *req)
{
	return fail(&req->task, 404, "embed_unknown", "There is no such chat.");
}

/* ---- who guesses ---- */

/* Whose guesses are counted together: of an address in an embed.  Who has one IPv6 address has 2^64 of them. */
static const char *guesser(struct request *req, size_t *len)
{
	const char *address = wire_param(req->wire, "REMOTE_ADDR"), *embed = req->task.identity.embed;
	struct in6_addr v6;
	char text[INET6_ADDRSTRLEN];

	address = address == NULL ? "" : address;
	if (inet_pton(AF_INET6, address, &v6) == 1 && !IN6_IS_ADDR_V4MAPPED(&v6)) {
		memset(&v6.s6_addr[8], 0, 8);
		address = inet_ntop(AF_INET6, &v6, text, sizeof(text));
	}
	address = arena_printf(req->task.arena, "%s %s", embed, address);
	*len = strlen(address);
	return address;
}

/* A conversation that there is not: a new one, or a guess. */
static void note_guess(struct request *req)
{
	size_t len;
	const char *who = guesser(req, &len);

	tally_add(who, len);
}

/* Who has guessed too often is told neither yes nor no. */
static int refuse_guesser(struct request *req)
{
	size_t len;
	const char *who = guesser(req, &len);

	if (req->config->widget_guesses == 0 || tally_count(who, len) < req->config->widget_guesses)
		return 0;
	req->task.failure.retry_after_s = tally_left_s();
	return fail(&req->task, 429, "embed_guesses", "Too many chats that there are not. Try again in a minute.");
}

/* ---- the question ---- */

/* A uuid of version 1 to 5, or the nil one. */
static bool is_session(const char *text)
{
	static const char nil[] = "00000000-0000-0000-0000-000000000000";
	int i;

	if (strcmp(text, nil) == 0)
		return true;
	for (i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	return text[36] == '\0' && text[14] >= '1' && text[14] <= '5' && strchr("89abAB", text[19]) != NULL;
}

/* A text field that is one; anything else is as if it were not there. */
static const char *text_field(struct visit *visit, const char *name)
{
	struct json_object *value = field_get(visit->req->json, name);

	return json_object_is_type(value, json_type_string) && json_object_get_string_len(value) > 0
		       ? json_object_get_string(value)
		       : NULL;
}

static int read_question(struct visit *visit)
{
	struct task *task = &visit->req->task;
	struct chat *chat = &visit->chat;

	chat->session = text_field(visit, "sessionId");
	if (chat->session == NULL || !is_session(chat->session))
		return fail_field(task, 404, "session_invalid", "sessionId", "Invalid session ID.");
	chat->message = text_field(visit, "message");
	if (chat->message == NULL)
		return fail_field(task, 400, "message_empty", "message", "Message is empty.");
	if (strlen(chat->message) > MESSAGE_BYTES)
		return fail_field(
			task, 400, "field_range", "message", "Message is longer than %d bytes.", (int)MESSAGE_BYTES);
	return 0;
}

/* What the page wants otherwise than the workspace has it: only what the embed lets it.  Nothing said changes nothing.
 */
static int read_overrides(struct visit *visit, PGresult *rows)
{
	struct json_object *temperature = field_get(visit->req->json, "temperature");
	struct chat *chat = &visit->chat;
	char *end = NULL;

	if (db_true(rows, 0, "takes_prompt"))
		chat->system = text_field(visit, "prompt");
	if (db_true(rows, 0, "takes_model"))
		chat->model_asked = text_field(visit, "model");
	if ((chat->system != NULL && strlen(chat->system) > MESSAGE_BYTES) ||
		(chat->model_asked != NULL && strlen(chat->model_asked) > NAME_BYTES))
		return fail_field(&visit->req->task, 400, "field_range", "prompt", "Prompt or model is too long.");
	if (!db_true(rows, 0, "takes_temperature") || temperature == NULL)
		return 0;
	visit->temperature = NAN;
	if (json_object_is_type(temperature, json_type_string))
		visit->temperature = strtod(json_object_get_string(temperature), &end);
	else if (json_object_is_type(temperature, json_type_int) || json_object_is_type(temperature, json_type_double))
		visit->temperature = json_object_get_double(temperature);
	if ((end == NULL || *end == '\0') && visit->temperature >= 0 && visit->temperature <= 2)
		chat->temperature = &visit->temperature;
	return 0;
}

/* As the administrator reads it: host, ip, username.  Control characters say nothing in a name. */
static const char *describe(struct visit *visit)
{
	const char *name = text_field(visit, "username"), *ip = wire_param(visit->req->wire, "REMOTE_ADDR");
	struct str *out = str_new(visit->req->task.arena);
	char *clean = NULL, *at;

	if (name != NULL) {
		clean = arena_copy(visit->req->task.arena, name, utf8_cut(name, strlen(name), NAME_BYTES));
		for (at = clean; *at != '\0'; at++)
			if ((unsigned char)*at < ' ' || *at == 0x7f)
				*at = ' ';
	}
	str_putc(out, '{');
	if (visit->origin != NULL) {
		str_puts(out, "\"host\":");
		str_json_text(out, visit->origin);
		str_putc(out, ',');
	}
	str_puts(out, "\"ip\":");
	str_json_text(out, ip != NULL && utf8_valid(ip, strlen(ip)) ? ip : NULL);
	str_puts(out, ",\"username\":");
	str_json_text(out, clean);
	str_putc(out, '}');
	return out->at;
}

/* In the order that the original has. */
static int prepare(struct visit *visit)
{
	struct request *req = visit->req;
	PGresult *rows;

	visit->origin = enter(req);
	rows = db_rows(&req->task, &sql_embed_check,
		ARGS(req->task.identity.embed, visit->origin, db_bool_arg(req->config->widget_open),
			text_field(visit, "sessionId")));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return gone(req);
	admit(req, rows, visit->origin);
	if (!db_true(rows, 0, "enabled"))
		return fail(&req->task, 503, "embed_disabled",
			"This chat has been disabled by the administrator - try again later.");
	if (!db_true(rows, 0, "lets"))
		return fail(&req->task, 401, "origin_refused", "Invalid request.");
	if (read_question(visit) < 0 || read_overrides(visit, rows) < 0 || refuse_guesser(req) < 0)
		return -1;
	if (!db_true(rows, 0, "known"))
		note_guess(req);
	visit->chat.visitor = describe(visit);
	return 0;
}

/* ---- the events ---- */

static int send_chunk(struct visit *visit, const char *text, size_t len, bool close)
{
	return chunk_send(&visit->stream, visit->event, visit->uuid, text, len, close);
}

static int on_text(struct chat *chat, const char *text, size_t len)
{
	return send_chunk(chat->dialect, text, len, false);
}

static int on_silence(struct chat *chat)
{
	return send_chunk(chat->dialect, "", 0, false);
}

static bool on_gone(struct chat *chat)
{
	struct visit *visit = chat->dialect;

	return wire_gone(visit->req->wire);
}

static const struct chat_sink sink = {.text = on_text, .silence = on_silence, .gone = on_gone};

static int send_refusal(struct visit *visit)
{
	struct str *event = visit->event;

	str_clear(event);
	str_printf(event, "{\"id\":\"%s\",\"type\":\"textResponse\",\"textResponse\":", visit->uuid);
	str_json_text(event, visit->chat.answer->at);
	str_puts(event, ",\"sources\":[],\"close\":true,\"error\":null}");
	return stream_event(&visit->stream, event->at, event->len);
}

/* The stream broke after it had begun. */
static int send_abort(struct visit *visit)
{
	struct str *event = visit->event;

	str_clear(event);
	str_printf(event,
		"{\"uuid\":\"%s\",\"type\":\"abort\",\"textResponse\":null,\"sources\":[],\"close\":true,\"error\":",
		visit->uuid);
	str_json_text(event, visit->req->task.failure.message);
	str_puts(event, "}");
	return stream_event(&visit->stream, event->at, event->len);
}

/* Which provider has what trouble is the owner's business: it stands in the log. */
static int fail_discreetly(struct visit *visit)
{
	struct failure *failure = &visit->req->task.failure;

	if (failure->status >= 500 || strncmp(failure->code, "upstream_", 9) == 0)
		failure->message = "The chat cannot answer at the moment. Try again later.";
	if (!visit->stream.begun)
		return -1;
	send_abort(visit);
	return 0;
}

int widget_stream_chat(struct request *req)
{
	struct visit *visit = arena_get(req->task.arena, sizeof(*visit));

	visit->req = req;
	visit->event = str_new(req->task.arena);
	visit->uuid = secret_new_uuid(req->task.arena);
	visit->chat = (struct chat){.task = &req->task,
		.config = req->config,
		.attachments = "[]",
		.origin = "embed",
		.sink = &sink,
		.dialect = visit};
	stream_open(&visit->stream, req, "text/event-stream");
	if (prepare(visit) < 0)
		return -1;
	if (chat_run(&visit->chat) < 0)
		return fail_discreetly(visit);
	if (visit->chat.end == CHAT_REFUSED)
		send_refusal(visit);
	else if (visit->chat.end == CHAT_ANSWERED || visit->chat.end == CHAT_EMPTY)
		send_chunk(visit, "", 0, true);
	return 0;
}

/* ---- the rest ---- */

int widget_history(struct request *req)
{
	const char *origin = enter(req), *history;
	PGresult *rows;

	if (refuse_guesser(req) < 0)
		return -1;
	rows = db_rows(&req->task, &sql_embed_history,
		ARGS(req->task.identity.embed, request_param(req, "sessionId"), origin,
			db_bool_arg(req->config->widget_open), db_int_arg(req->task.arena, HISTORY_CHATS)));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return gone(req);
	admit(req, rows, origin);
	history = db_text(rows, 0, "history");
	if (strcmp(history, "[]") == 0)
		note_guess(req);
	return reply_json_printf(req, 200, "{\"history\":%s}", history);
}

int widget_reset(struct request *req)
{
	const char *origin = enter(req);
	PGresult *rows;

	if (refuse_guesser(req) < 0)
		return -1;
	rows = db_rows(&req->task, &sql_embed_reset,
		ARGS(req->task.identity.embed, request_param(req, "sessionId"), origin,
			db_bool_arg(req->config->widget_open)));
	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return gone(req);
	admit(req, rows, origin);
	if (!db_true(rows, 0, "known"))
		note_guess(req);
	return reply_empty(req, 200);
}

/* What a browser asks first.  A page that may not, an embed that there is not, and a database that cannot be asked get
 * the same: nothing. */
int widget_preflight(struct request *req)
{
	const char *origin = enter(req);
	PGresult *rows = db_rows(&req->task, &sql_embed_check,
		ARGS(req->task.identity.embed, origin, db_bool_arg(req->config->widget_open), NULL));

	fail_clear(&req->task);
	if (rows != NULL && PQntuples(rows) > 0)
		admit(req, rows, origin);
	return reply_preflight(req, request_param(req, "sessionId") == NULL ? POST : GET | DELETE);
}
