/* SPDX-License-Identifier: ISC */
#include "llm/remarks.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

/* ---- how it ended ---- */

/* As services name it, in capitals or not; what is none of these is `stop`. */
static const struct ending {
	const char *said;
	enum remark_end end;
	const char *reason;
} endings[] = {
	/* in every chunk but the last, from several services */
	{"", REMARK_GOES_ON, NULL}, {"null", REMARK_GOES_ON, NULL}, {"length", REMARK_ENDED, "length"},
	{"max_tokens", REMARK_ENDED, "length"}, {"model_length", REMARK_ENDED, "length"}, /* Mistral */
	{"tool_calls", REMARK_ENDED, "tool_calls"}, {"tool_use", REMARK_ENDED, "tool_calls"},
	{"content_filter", REMARK_ENDED, "content_filter"}, {"refusal", REMARK_ENDED, "content_filter"},
	{"sensitive", REMARK_ENDED, "content_filter"}, /* Zhipu */
	{"safety", REMARK_ENDED, "content_filter"},    /* from here on Gemini, through gateways */
	{"recitation", REMARK_ENDED, "content_filter"}, {"blocklist", REMARK_ENDED, "content_filter"},
	{"prohibited_content", REMARK_ENDED, "content_filter"}, {"spii", REMARK_ENDED, "content_filter"},
	{"error", REMARK_FAILED, NULL}, /* Mistral, OpenRouter */
	{"abort", REMARK_FAILED, NULL}, /* vLLM */
	{"network_error", REMARK_FAILED, NULL}, {"insufficient_system_resource", REMARK_FAILED, NULL}, /* DeepSeek */
};

enum remark_end remark_finish(struct json_object *choice, const char **reason)
{
	struct json_object *said = json_member(choice, "finish_reason", json_type_string);
	size_t i;

	if (said == NULL)
		return REMARK_GOES_ON;
	*reason = "stop";
	for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (strcasecmp(json_object_get_string(said), endings[i].said) != 0)
			continue;
		if (endings[i].reason != NULL)
			*reason = endings[i].reason;
		return endings[i].end;
	}
	return REMARK_ENDED;
}

/* ---- what went wrong ---- */

/* Services that always have the member say by one of these that nothing is wrong; so SDKs take it too. */
static bool says_nothing(struct json_object *error)
{
	switch (json_object_get_type(error)) {
	case json_type_null:
		return true;
	case json_type_boolean:
		return !json_object_get_boolean(error);
	case json_type_int:
		return json_object_get_int64(error) == 0;
	case json_type_string:
		return json_object_get_string_len(error) == 0;
	default:
		return false;
	}
}

struct json_object *remark_error(struct json_object *from)
{
	struct json_object *error, *object = json_member(from, "object", json_type_string);

	if (!json_object_is_type(from, json_type_object))
		return NULL;
	if (json_object_object_get_ex(from, "error", &error) && !says_nothing(error))
		return error;
	/* An error that is not wrapped: vLLM's older releases, FastChat. */
	return object != NULL && strcmp(json_object_get_string(object), "error") == 0 ? from : NULL;
}

/* OpenAI has a code for it, llama.cpp a type; vLLM and others have only OpenAI's sentence. */
bool remark_too_long(struct json_object *error)
{
	static const char *const names[] = {"code", "type"};
	struct json_object *said = json_member(error, "message", json_type_string);
	size_t i;

	if (said != NULL && strstr(json_object_get_string(said), "maximum context length is ") != NULL)
		return true;
	for (i = 0; i < 2; i++) {
		said = json_member(error, names[i], json_type_string);
		if (said != NULL && (strcmp(json_object_get_string(said), "context_length_exceeded") == 0 ||
					    strcmp(json_object_get_string(said), "exceed_context_size_error") == 0))
			return true;
	}
	return false;
}

/* ---- what was counted ---- */

/* A whole number, however it is written; -1: none, or none that can be true. */
static int64_t count(struct json_object *usage, const char *name)
{
	struct json_object *value;
	double n;

	if (!json_object_is_type(usage, json_type_object) || !json_object_object_get_ex(usage, name, &value) ||
		(!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double)))
		return -1;
	n = json_object_get_double(value);
	return n >= 0 && n <= 1e9 && n == floor(n) ? (int64_t)n : -1;
}

/* None does not take back what was counted before. */
static void learn(int64_t *known, int64_t n)
{
	if (n > 0 || *known < 0)
		*known = n;
}

static void take_usage(struct json_object *usage, struct llm_usage *to)
{
	int64_t prompt = count(usage, "prompt_tokens");

	learn(&to->prompt_tokens, prompt == 0 ? -1 : prompt); /* no question has none: nobody counted */
	learn(&to->completion_tokens, count(usage, "completion_tokens"));
	learn(&to->cached_tokens,
		count(json_member(usage, "prompt_tokens_details", json_type_object), "cached_tokens"));
	learn(&to->reasoning_tokens,
		count(json_member(usage, "completion_tokens_details", json_type_object), "reasoning_tokens"));
}

void remark_usage(struct json_object *answer, struct llm_usage *to)
{
	struct json_object *choices = json_member(answer, "choices", json_type_array);

	if (choices != NULL && json_object_array_length(choices) > 0) /* Moonshot */
		take_usage(json_member(json_object_array_get_idx(choices, 0), "usage", json_type_object), to);
	take_usage(json_member(json_member(answer, "x_groq", json_type_object), "usage", json_type_object), to);
	take_usage(json_member(answer, "usage", json_type_object), to);
}
