/* SPDX-License-Identifier: ISC */
#include "llm/answer.h"

#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "llm/lenient.h"
#include "llm/remarks.h"

/* An answer that does not end is cut. */
static int cut_if_endless(struct answer *answer)
{
	if (answer->said <= ANSWER_MOST)
		return 0;
	answer->call->finish_reason = "length";
	answer->finished = true;
	return -1;
}

/* Give a piece of text on.  -1 to stop. */
static int pass_on(struct answer *answer, const char *text, size_t len, enum llm_kind kind, bool last)
{
	str_clear(answer->text);
	utf8_clean(&answer->clean, text, len, last, answer->text);
	if (answer->text->len == 0)
		return 0;
	answer->said += answer->text->len;
	if (answer->call->on_text(answer->call->arg, answer->text->at, answer->text->len, kind) != 0) {
		answer->call->stopped = true;
		return -1;
	}
	return cut_if_endless(answer);
}

static int pass_text(struct answer *answer, struct json_object *text, enum llm_kind kind)
{
	if (!json_object_is_type(text, json_type_string))
		return 0;
	return pass_on(answer, json_object_get_string(text), (size_t)json_object_get_string_len(text), kind, false);
}

/* Mistral's reasoning models send lists: texts, and parts `thinking` that hold a list of such parts or a text. */
static int pass_parts(struct answer *answer, struct json_object *list, enum llm_kind kind)
{
	size_t i, n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	struct json_object *part, *thinking;
	int stop = 0;

	for (i = 0; i < n && stop == 0; i++) {
		part = json_object_array_get_idx(list, i);
		thinking =
			json_object_is_type(part, json_type_object) ? json_object_object_get(part, "thinking") : NULL;
		stop = pass_text(answer, json_member(part, "text", json_type_string), kind);
		if (stop == 0)
			stop = pass_text(answer, thinking, LLM_REASONING);
		if (stop == 0 && kind == LLM_TEXT)
			stop = pass_parts(answer, thinking, LLM_REASONING);
	}
	return stop;
}

/* Reasoning has two names; who sends both means the same by them. */
static int pass_reasoning(struct answer *answer, struct json_object *delta)
{
	struct json_object *text = json_member(delta, "reasoning_content", json_type_string);
	bool said = text != NULL && json_object_get_string_len(text) > 0;

	return pass_text(answer, said ? text : json_member(delta, "reasoning", json_type_string), LLM_REASONING);
}

static int pass_content(struct answer *answer, struct json_object *delta)
{
	struct json_object *content = json_object_object_get(delta, "content");
	int stop = pass_text(answer, content, LLM_TEXT);

	if (stop == 0)
		stop = pass_parts(answer, content, LLM_TEXT);
	return stop == 0 ? pass_text(answer, json_member(delta, "refusal", json_type_string), LLM_REFUSAL) : stop;
}

static int pass_tool_calls(struct answer *answer, struct json_object *from)
{
	struct json_object *calls = json_member(from, "tool_calls", json_type_array);
	struct str *out;

	if (calls == NULL || answer->call->on_tool_calls == NULL)
		return 0;
	out = str_new(answer->small);
	str_putc(out, '[');
	tools_take(&answer->tools, calls, out);
	if (out->len == 1)
		return 0;
	str_putc(out, ']');
	answer->said += out->len;
	if (answer->call->on_tool_calls(answer->call->arg, out->at, out->len) != 0) {
		answer->call->stopped = true;
		return -1;
	}
	return cut_if_endless(answer);
}

/* A word of the provider's for the log: only one that cannot hold a key. */
static const char *plain_word(struct answer *answer, struct json_object *error, const char *name)
{
	struct json_object *number = json_member(error, name, json_type_int),
			   *value = json_member(error, name, json_type_string);
	const char *word = value == NULL ? "" : json_object_get_string(value);

	if (number != NULL)
		return arena_printf(answer->small, "%d", json_object_get_int(number));
	return strlen(word) <= 40 && word[strspn(word, "abcdefghijklmnopqrstuvwxyz_")] == '\0' ? word : "";
}

/* The provider's own words go nowhere: they may hold its address, our key, or the question. */
static void note_error(struct answer *answer, struct json_object *error)
{
	answer->too_long = remark_too_long(error);
	log_event(LOG_WARNING, answer->call->task, "provider_error", "provider=%s type=%s code=%s finish=%s",
		answer->call->setup->name, plain_word(answer, error, "type"), plain_word(answer, error, "code"),
		plain_word(answer, error, "finish_reason"));
}

/* Gateways that have said 200 already, to keep the connection awake, tell the status of a refusal so.  Others have
 * codes of their own: only those count that are as a status would be. */
static int status_of(struct json_object *error)
{
	static const int statuses[] = {400, 404, 413, 422, 429, 503, 529};
	struct json_object *code = json_member(error, "code", json_type_int);
	size_t i;

	for (i = 0; code != NULL && i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (json_object_get_int64(code) == statuses[i])
			return statuses[i];
	return 0;
}

static int upstream_error(struct answer *answer, struct json_object *error)
{
	note_error(answer, error);
	answer->failed = true;
	if (answer->said == 0 && (answer->refused = status_of(error)) != 0)
		return -1;
	return fail(answer->call->task, 502, "upstream_error", "The model's provider reported an error.");
}

static int note_finish(struct answer *answer, struct json_object *choice)
{
	switch (remark_finish(choice, &answer->call->finish_reason)) {
	case REMARK_FAILED:
		return upstream_error(answer, choice);
	case REMARK_ENDED:
		answer->finished = true;
		return 0;
	default:
		return 0;
	}
}

/* There is one answer to a question; by which number it goes, its first piece says. */
static bool is_other(struct answer *answer, struct json_object *choice)
{
	struct json_object *index = json_member(choice, "index", json_type_int);
	int64_t number = index == NULL ? 0 : json_object_get_int64(index);

	if (!answer->chosen)
		answer->number = number;
	answer->chosen = true;
	return number != answer->number;
}

/* Pieces are a `delta`, whole answers a `message`; some services send one as the event of a stream, others both. */
static int take_choice(struct answer *answer, struct json_object *choice)
{
	struct json_object *delta = json_member(choice, "delta", json_type_object), *error = remark_error(choice);
	int stop = 0;

	if (!json_object_is_type(choice, json_type_object) || is_other(answer, choice))
		return 0;
	if (delta == NULL && answer->said == 0)
		delta = json_member(choice, "message", json_type_object);
	if (delta != NULL) {
		stop = pass_reasoning(answer, delta);
		if (stop == 0)
			stop = pass_content(answer, delta);
		if (stop == 0)
			stop = pass_tool_calls(answer, delta);
	}
	if (stop == 0 && error != NULL)
		return upstream_error(answer, error);
	return stop == 0 ? note_finish(answer, choice) : stop;
}

static int take_object(struct answer *answer, struct json_object *object)
{
	struct json_object *choices = json_member(object, "choices", json_type_array), *error = remark_error(object);
	size_t i, n = choices == NULL ? 0 : json_object_array_length(choices);
	int stop = 0;

	if (error != NULL)
		return upstream_error(answer, error);
	remark_usage(object, &answer->call->usage);
	for (i = 0; i < n && stop == 0; i++)
		stop = take_choice(answer, json_object_array_get_idx(choices, i));
	return stop;
}

/* NULL for what is no JSON.  With memory of its own, so that a long stream takes no more than a short one. */
static struct json_object *parse(struct answer *answer, const char *text, size_t len)
{
	struct task parsing = {.arena = answer->small, .id = answer->call->task->id, .gone_fd = -1};
	struct str *clean = str_new(answer->small);

	lenient_clean(clean, text, len);
	return json_read(&parsing, clean->at, clean->len);
}

void answer_open(struct answer *answer, struct llm_call *call)
{
	*answer = (struct answer){.call = call,
		.small = arena_within(call->task->arena),
		.tools = {.arena = call->task->arena},
		.text = str_new(call->task->arena)};
	call->tools = &answer->tools;
}

void answer_begin(struct answer *answer)
{
	answer->chosen = answer->too_long = false;
	answer->call->usage = LLM_UNCOUNTED;
	answer->call->finish_reason = "stop";
}

int answer_take(struct answer *answer, const char *text, size_t len)
{
	struct json_object *object = parse(answer, text, len);
	int stop = json_object_is_type(object, json_type_object) ? take_object(answer, object) : ANSWER_INVALID;

	arena_empty(answer->small);
	return stop;
}

int answer_take_error(struct answer *answer, const char *text, size_t len)
{
	struct json_object *said = parse(answer, text, len), *error = remark_error(said);

	upstream_error(answer, error == NULL ? said : error);
	arena_empty(answer->small);
	return -1;
}

void answer_take_refusal(struct answer *answer, const char *text, size_t len)
{
	struct json_object *error = remark_error(parse(answer, text, len));

	if (error != NULL)
		note_error(answer, error);
	arena_empty(answer->small);
}

void answer_end(struct answer *answer)
{
	struct llm_call *call = answer->call;

	if (!call->stopped && answer->said <= ANSWER_MOST)
		pass_on(answer, "", 0, LLM_TEXT, true);
	if (answer->tools.n_told > 0 && strcmp(call->finish_reason, "stop") == 0)
		call->finish_reason = "tool_calls";
	if (call->usage.completion_tokens == 0 && answer->said > 0)
		call->usage.completion_tokens = -1; /* nobody counted */
}
