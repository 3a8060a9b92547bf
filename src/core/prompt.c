/* SPDX-License-Identifier: ISC */
#include "core/prompt.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/utf8.h"
#include "core/context.h"

/* The share of the window that is kept for the answer, at most ANSWER_TOKENS. */
enum { ANSWER_SHARE = 4, ANSWER_TOKENS = 4096 };

static const char *format_time(struct arena *arena, const char *format)
{
	char text[64];
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(text, sizeof(text), format, &utc);
	return arena_strdup(arena, text);
}

/* The value of a variable, or NULL when the name is none of ours. */
static const char *variable(const struct chat *chat, const char *name, size_t len)
{
	static const struct {
		const char *name, *format;
	} times[] = {{"time", "%I:%M:%S %p"}, {"time_24", "%H:%M:%S"}, {"date", "%B %-d, %Y"},
		{"datetime", "%B %-d, %Y %I:%M:%S %p"}, {"datetime_24", "%B %-d, %Y %H:%M:%S"}};
	const struct {
		const char *name, *value;
	} words[] = {{"user.name", chat->account_name}, {"user.bio", chat->account_bio},
		{"workspace.name", chat->workspace_name}};
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (strlen(times[i].name) == len && memcmp(times[i].name, name, len) == 0)
			return format_time(chat->task->arena, times[i].format);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].name) == len && memcmp(words[i].name, name, len) == 0)
			return words[i].value == NULL ? "" : words[i].value;
	if (len == 7 && memcmp(name, "user.id", 7) == 0)
		return chat->task->identity.account_id == 0
			       ? ""
			       : arena_printf(chat->task->arena, "%lld", (long long)chat->task->identity.account_id);
	if (len == 12 && memcmp(name, "workspace.id", 12) == 0)
		return arena_printf(chat->task->arena, "%lld", (long long)chat->workspace_id);
	return NULL;
}

/* The workspace's prompt with {variables} filled in; other braces stay as they are. */
static struct str *expand(const struct chat *chat, const char *text)
{
	struct str *out = str_new(chat->task->arena);

	while (*text != '\0') {
		size_t plain = strcspn(text, "{"), len;
		const char *value;

		str_add(out, text, plain);
		text += plain;
		if (*text == '\0')
			break;
		len = strcspn(text + 1, "{}");
		value = text[1 + len] == '}' ? variable(chat, text + 1, len) : NULL;
		if (value == NULL) {
			str_putc(out, *text++);
		} else {
			str_puts(out, value);
			text += len + 2;
		}
	}
	return out;
}

/* What stands first.  Who brings a conversation along wrote its system text too: that is nobody's to change. */
static struct str *system_text(const struct chat *chat)
{
	struct str *verbatim;

	if (chat->system == NULL || chat->given == NULL)
		return expand(chat, chat->system != NULL ? chat->system : chat->prompt == NULL ? "" : chat->prompt);
	verbatim = str_new(chat->task->arena);
	str_puts(verbatim, chat->system);
	return verbatim;
}

/* The images of a stored question; NULL when it had none. */
static const char *const *stored_images(struct arena *arena, const char *attachments)
{
	struct json_object *list;
	const char **images;
	size_t n, i;

	if (strcmp(attachments, "[]") == 0)
		return NULL;
	list = json_ours(arena, attachments);
	n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	images = arena_get(arena, (n + 1) * sizeof(*images));
	for (i = 0; i < n; i++)
		images[i] = json_object_get_string(
			json_object_object_get(json_object_array_get_idx(list, i), "contentString"));
	return images;
}

/* A stored exchange as two messages. */
static void take_exchange(struct arena *arena, const struct exchange *exchange, struct llm_message *pair)
{
	pair[0] = (struct llm_message){
		.role = "user", .content = exchange->question, .images = stored_images(arena, exchange->attachments)};
	pair[1] = (struct llm_message){.role = "assistant", .content = exchange->answer};
}

/* The newest stored exchanges that fit, oldest first, into `messages`; returns how many messages that are. */
static int add_history(const struct chat *chat, struct llm_message *messages, int64_t *room)
{
	int fit, i;

	for (fit = 0; fit < chat->n_earlier; fit++) {
		const struct exchange *exchange = &chat->earlier[fit];
		int64_t cost = llm_tokens(strlen(exchange->question)) + llm_tokens(strlen(exchange->answer));

		if (cost > *room)
			break;
		*room -= cost;
	}
	for (i = 0; i < fit; i++)
		take_exchange(chat->scratch, &chat->earlier[fit - 1 - i], &messages[2 * i]);
	return 2 * fit;
}

static int64_t cost_of(const struct llm_message *message)
{
	return llm_tokens(
		message->raw != NULL && message->images == NULL ? strlen(message->raw) : strlen(message->content));
}

/* Where the question begins in the caller's own messages: with the last user's; calls of tools and their results behind
 * it belong to it. */
static int question_at(const struct chat *chat)
{
	int at = chat->n_given - 1;

	while (at > 0 && strcmp(chat->given[at].role, "user") != 0)
		at--;
	return at;
}

/* The newest of the caller's own messages before `last` that fit.  What is left must begin with a user's: the answer to
 * a call of a tool makes no sense without the call. */
static int add_given(const struct chat *chat, int last, struct llm_message *messages, int64_t *room)
{
	int first = last;

	while (first > 0 && cost_of(&chat->given[first - 1]) <= *room)
		*room -= cost_of(&chat->given[--first]);
	if (first > 0)
		while (first < last && strcmp(chat->given[first].role, "user") != 0)
			first++;
	memcpy(messages, chat->given + first, (size_t)(last - first) * sizeof(*messages));
	return last - first;
}

enum { AROUND_PASSAGE = 40 /* bytes of marks */ };

/* "[CONTEXT 0]" and "[END CONTEXT 0]" are our marks: what stands in a text and looks like one of them is none. */
static bool is_mark(const char *text, size_t len)
{
	static const char *const marks[] = {"CONTEXT ", "END CONTEXT "};
	size_t i;

	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (len >= strlen(marks[i]) && strncasecmp(text, marks[i], strlen(marks[i])) == 0)
			return true;
	return false;
}

static void add_text(struct str *system, const char *text, size_t len)
{
	const char *end = text + len, *mark;

	while ((mark = memchr(text, '[', (size_t)(end - text))) != NULL) {
		str_add(system, text, (size_t)(mark + 1 - text));
		text = mark + 1;
		str_puts(system, is_mark(text, (size_t)(end - text)) ? " " : "");
	}
	str_add(system, text, (size_t)(end - text));
}

static void add_context(struct str *system, int no, const char *text, size_t len)
{
	str_puts(system, no == 0 ? "\nContext:\n" : "");
	str_printf(system, "[CONTEXT %d]:\n", no);
	add_text(system, text, len);
	str_printf(system, "\n[END CONTEXT %d]\n\n", no);
}

/* Pinned documents, whole, until the room is used up: the last one is cut.  How many are in. */
static int add_pinned(const struct chat *chat, struct str *system, int64_t *room)
{
	int i, n = 0;

	for (i = 0; i < chat->n_pinned; i++) {
		const char *text = chat->passages[i].cited;
		size_t len = strlen(text);

		if (len == 0 || *room <= AROUND_PASSAGE / 4)
			continue;
		len = utf8_cut(text, len, 4 * (size_t)*room - AROUND_PASSAGE);
		add_context(system, n++, text, len);
		*room -= llm_tokens(len + AROUND_PASSAGE);
	}
	return n;
}

/* Passages as far as there is room, numbered from `no` on. */
static void add_passages(const struct chat *chat, struct str *system, int no, int64_t *room)
{
	int i;

	for (i = chat->n_pinned; i < chat->n_passages; i++) {
		size_t len = strlen(chat->passages[i].cited);
		int64_t cost = llm_tokens(len + AROUND_PASSAGE);

		if (cost > *room)
			continue;
		*room -= cost;
		add_context(system, no++, chat->passages[i].cited, len);
	}
}

static int too_long(const struct chat *chat, const char *field, const char *what)
{
	return fail_field(chat->task, 400, "context_length_exceeded", chat->given != NULL ? "messages" : field,
		"%s longer than the model's context window of %d tokens allows.", what, chat->setup.context_tokens);
}

/* The question, which is never cut: one message, or the caller's last ones. */
static int put_question(const struct chat *chat, struct llm_message *messages)
{
	int at, n;

	if (chat->given == NULL) {
		messages[0] = (struct llm_message){.role = "user", .content = chat->message, .images = chat->images};
		return 1;
	}
	at = question_at(chat);
	n = chat->n_given - at;
	memcpy(messages, chat->given + at, (size_t)n * sizeof(*messages));
	return n;
}

/* What is counted of a message where the provider does not count: its text, or the calls of tools that it is. */
static size_t bytes_shown(const struct llm_message *message)
{
	bool calls = message->raw != NULL && message->images == NULL && *message->content == '\0' &&
		     strcmp(message->role, "assistant") == 0;

	return strlen(calls ? message->raw : message->content);
}

int prompt_assemble(struct chat *chat)
{
	struct arena *arena = chat->scratch;
	int window = chat->setup.context_tokens, n_question, n_contexts, n, i;
	int64_t room = window - (window / ANSWER_SHARE < ANSWER_TOKENS ? window / ANSWER_SHARE : ANSWER_TOKENS);
	struct str *system = system_text(chat);
	size_t most = 3 + (size_t)(chat->given != NULL ? chat->n_given : 2 * chat->n_earlier);
	struct llm_message *messages = arena_get(arena, most * sizeof(*messages)),
			   *question = arena_get(arena, most * sizeof(*question));

	n_question = put_question(chat, question);
	for (i = 0; i < n_question; i++)
		room -= cost_of(&question[i]);
	if (room < 0)
		return too_long(chat, "message", "The question alone is");
	room -= llm_tokens(system->len);
	if (room < 0)
		return too_long(chat, "openAiPrompt", "The question and the prompt are");
	n_contexts = chat->numbered ? 0 : add_pinned(chat, system, &room);
	n = 1;
	if (chat->given != NULL)
		n += add_given(chat, question_at(chat), messages + 1, &room);
	else
		n += add_history(chat, messages + 1, &room);
	if (chat->numbered)
		n_question = context_put(chat, question, n_question, &room);
	else
		add_passages(chat, system, n_contexts, &room);
	if (system->len > 0)
		messages[0] = (struct llm_message){.role = "system", .content = system->at};
	memcpy(messages + n, question, (size_t)n_question * sizeof(*question));
	n += n_question;
	chat->prompt_bytes = system->len + (chat->has_tools ? strlen(chat->parameters) : 0);
	for (i = 1; i < n; i++)
		chat->prompt_bytes += bytes_shown(&messages[i]);
	chat->call.messages = system->len > 0 ? messages : messages + 1;
	chat->call.n_messages = system->len > 0 ? n : n - 1;
	return 0;
}
