/* SPDX-License-Identifier: ISC */
#include "api/openai/question.h"

#include <math.h>
#include <string.h>

#include "api/openwebui/items.h"
#include "base/field.h"
#include "base/json.h"
#include "llm/provider.h"

enum { MAX_MESSAGES = 4096 };

/* ---- parameters ---- */

/* What is passed on to the model, with its least and most; NAN: no bound. */
static const struct parameter {
	const char *name;
	enum json_type type; /* json_type_double: any number */
	double least, most;
} passed_on[] = {
	{"max_tokens", json_type_int, 1, 2147483647},
	{"max_completion_tokens", json_type_int, 1, 2147483647},
	{"top_p", json_type_double, 0, 1},
	{"presence_penalty", json_type_double, -2, 2},
	{"frequency_penalty", json_type_double, -2, 2},
	{"seed", json_type_int, NAN, NAN},
	{"stop", json_type_null, NAN, NAN}, /* a string or an array */
	{"logit_bias", json_type_object, NAN, NAN},
	{"response_format", json_type_object, NAN, NAN},
	{"reasoning_effort", json_type_string, NAN, NAN},
	{"tools", json_type_array, NAN, NAN},      /* before what is said of them */
	{"tool_choice", json_type_null, NAN, NAN}, /* a string or an object */
	{"parallel_tool_calls", json_type_boolean, NAN, NAN},
};

/* What other services and servers know, passed on unread.  A list of what may pass, not of what may not: nobody knows
 * all the names by which some gateway behind us lets a body say where a call goes, or with which key. */
static const char *const unread[] = {"chat_template_kwargs", "enable_thinking", "format", "grammar", "guided_choice",
	"guided_grammar", "guided_json", "guided_regex", "include_reasoning", "keep_alive", "length_penalty",
	"metadata", "min_p", "min_tokens", "mirostat", "mirostat_eta", "mirostat_tau", "num_ctx", "num_keep",
	"num_predict", "prediction", "prompt_cache_key", "reasoning", "repeat_last_n", "repeat_penalty",
	"repetition_penalty", "safety_identifier", "service_tier", "stop_token_ids", "store", "tfs_z", "think",
	"thinking", "top_a", "top_k", "typical_p", "user", "verbosity", "web_search_options"};

static const char *type_name(enum json_type type)
{
	switch (type) {
	case json_type_int:
		return "a whole number";
	case json_type_double:
		return "a number";
	case json_type_object:
		return "an object";
	case json_type_array:
		return "an array";
	case json_type_boolean:
		return "true or false";
	default:
		return "a string";
	}
}

static int check_parameter(struct task *task, const struct parameter *p, struct json_object *value)
{
	bool number = json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
	double n = number ? json_object_get_double(value) : 0;

	if (p->type == json_type_null) {
		bool list = strcmp(p->name, "stop") == 0;
		enum json_type other = list ? json_type_array : json_type_object;

		if (json_object_is_type(value, json_type_string) || json_object_is_type(value, other))
			return 0;
		return field_refuse(task, p->name, list ? "a string or a list" : "a string or an object");
	}
	if (p->type == json_type_double ? !number : !json_object_is_type(value, p->type))
		return field_refuse(task, p->name, type_name(p->type));
	if (number && (n < p->least || n > p->most))
		return fail_field(task, 400, "field_range", p->name, "%s must be from %.10g to %.10g.", p->name,
			p->least, p->most);
	return 0;
}

/* Nothing is chosen where there are no tools, and services refuse a body that says how: many programs always say it. */
static bool says_nothing(const struct completion *c, const char *name, struct json_object *value)
{
	const char *choice;

	if (c->chat.has_tools)
		return false;
	if (strcmp(name, "parallel_tool_calls") == 0)
		return true;
	if (strcmp(name, "tool_choice") != 0 || !json_object_is_type(value, json_type_string))
		return false;
	choice = json_object_get_string(value);
	return strcmp(choice, "auto") == 0 || strcmp(choice, "none") == 0;
}

static void pass_unread(struct completion *c, struct str *out)
{
	size_t i;

	for (i = 0; i < sizeof(unread) / sizeof(unread[0]); i++) {
		struct json_object *value = field_get(c->req->json, unread[i]);

		if (value != NULL)
			str_printf(out, ",\"%s\":%s", unread[i], json_text(c->req->task.arena, value));
	}
}

static int read_parameters(struct completion *c)
{
	struct task *task = &c->req->task;
	struct str *out = str_new(task->arena);
	size_t i;

	for (i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++) {
		struct json_object *value = field_get(c->req->json, passed_on[i].name);

		if (value == NULL ||
			(passed_on[i].type == json_type_array && json_object_is_type(value, json_type_array) &&
				json_object_array_length(value) == 0))
			continue;
		/* Two names of one thing; services refuse both at once. */
		if (strcmp(passed_on[i].name, "max_tokens") == 0 &&
			field_get(c->req->json, "max_completion_tokens") != NULL)
			continue;
		if (check_parameter(task, &passed_on[i], value) < 0)
			return -1;
		if (says_nothing(c, passed_on[i].name, value))
			continue;
		str_printf(out, ",\"%s\":%s", passed_on[i].name, json_text(task->arena, value));
		c->chat.has_tools = c->chat.has_tools || strcmp(passed_on[i].name, "tools") == 0;
	}
	pass_unread(c, out);
	c->chat.parameters = out->at;
	return 0;
}

static int read_temperature(struct completion *c)
{
	struct task *task = &c->req->task;
	double *value = arena_get(task->arena, sizeof(*value));

	if (field_get(c->req->json, "temperature") == NULL)
		return 0;
	if (field_number(task, c->req->json, "temperature", value) < 0)
		return -1;
	if (*value < 0 || *value > 2)
		return fail_field(task, 400, "field_range", "temperature", "temperature must be from 0 to 2.");
	c->chat.temperature = value;
	return 0;
}

/* What would be dropped without a word is refused instead. */
static int read_limits(struct completion *c)
{
	struct task *task = &c->req->task;
	double n = 1;
	bool logprobs = false;

	if (field_number(task, c->req->json, "n", &n) < 0 || field_bool(task, c->req->json, "logprobs", &logprobs) < 0)
		return -1;
	if (n != 1)
		return fail_field(task, 400, "field_range", "n", "n must be 1: there is one answer to a question.");
	if (logprobs)
		return fail_field(task, 400, "logprobs_unsupported", "logprobs", "logprobs are not available.");
	return 0;
}

static int read_stream(struct completion *c)
{
	struct task *task = &c->req->task;
	struct json_object *options = field_get(c->req->json, "stream_options");

	if (field_bool(task, c->req->json, "stream", &c->streamed) < 0)
		return -1;
	if (options == NULL)
		return 0;
	if (!json_object_is_type(options, json_type_object))
		return field_refuse(task, "stream_options", "an object");
	return field_bool(task, options, "include_usage", &c->include_usage);
}

/* ---- messages ---- */

static bool is_by(const struct llm_message *message, const char *role)
{
	return strcmp(message->role, role) == 0;
}

static bool is_system(const struct llm_message *message)
{
	return is_by(message, "system") || is_by(message, "developer");
}

static bool known_role(const char *role)
{
	static const char *const roles[] = {"system", "developer", "user", "assistant", "tool", "function"};
	size_t i;

	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(role, roles[i]) == 0)
			return true;
	return false;
}

/* The text of parts; whatever else they hold goes to the model as it came. */
static int read_parts(struct task *task, struct json_object *parts, struct str *text)
{
	size_t i;

	for (i = 0; i < json_object_array_length(parts); i++) {
		struct json_object *part = json_object_array_get_idx(parts, i);
		const char *type = NULL, *words = NULL;

		if (!json_object_is_type(part, json_type_object))
			return field_refuse(task, "messages", "a list whose parts are objects");
		if (field_text(task, part, "type", &type) < 0 || field_text(task, part, "text", &words) < 0)
			return -1;
		if (type == NULL)
			return fail_field(
				task, 400, "field_type", "messages", "A part of a message's content has no type.");
		if (words != NULL)
			str_printf(text, "%s%s", text->len > 0 ? "\n" : "", words);
	}
	return 0;
}

static int read_content(struct task *task, struct json_object *message, const char **text, bool *parts)
{
	struct json_object *content = field_get(message, "content");
	struct str *joined = str_new(task->arena);

	*text = "";
	if (content == NULL)
		return 0;
	if (json_object_is_type(content, json_type_string)) {
		*text = json_object_get_string(content);
		return 0;
	}
	if (!json_object_is_type(content, json_type_array))
		return fail_field(task, 400, "field_type", "messages",
			"A message's content must be a string or a list of parts.");
	*parts = true;
	if (read_parts(task, content, joined) < 0)
		return -1;
	*text = joined->at;
	return 0;
}

static int read_message(struct task *task, struct json_object *item, struct llm_message *message, bool *parts)
{
	if (!json_object_is_type(item, json_type_object))
		return field_refuse(task, "messages", "a list of objects");
	if (field_text(task, item, "role", &message->role) < 0)
		return -1;
	if (message->role == NULL || !known_role(message->role))
		return fail_field(task, 400, "field_range", "messages",
			"A message's role must be system, developer, user, assistant, tool or function.");
	/* An answer may consist of calls of tools, and a tool may have nothing to say. */
	if (field_get(item, "content") == NULL && (is_by(message, "user") || is_system(message)))
		return fail_field(task, 400, "field_missing", "messages", "A message's content is missing.");
	if (read_content(task, item, &message->content, parts) < 0)
		return -1;
	if (strcmp(message->role, "tool") == 0 && field_get(item, "tool_call_id") == NULL)
		return fail_field(
			task, 400, "field_missing", "messages", "A message of a tool needs its tool_call_id.");
	message->raw = json_text(task->arena, item);
	return 0;
}

/* The images of the question stand in its raw form; for estimates its text counts. */
static void mark_images(struct llm_message *message, bool parts)
{
	static const char *const none[] = {NULL};

	if (parts)
		message->images = none;
}

/* System texts replace the workspace's prompt: all of them under /v1/openai, those that stand first otherwise, but for
 * the last one where there is nothing else.  Everything else goes to the model as it came. */
static int read_messages(struct completion *c)
{
	struct task *task = &c->req->task;
	struct json_object *list = NULL;
	struct llm_message *given;
	struct str *system = str_new(task->arena);
	size_t i, n;

	if (field_array(task, c->req->json, "messages", &list) < 0)
		return -1;
	n = list == NULL ? 0 : json_object_array_length(list);
	if (n == 0 || n > MAX_MESSAGES)
		return fail_field(task, 400, "field_range", "messages", "messages must hold from 1 to %d messages.",
			MAX_MESSAGES);
	given = arena_get(task->arena, n * sizeof(*given));
	for (i = 0; i < n; i++) {
		struct llm_message *message = &given[c->chat.n_given];
		bool parts = false, first = c->chat.n_given == 0 && i < n - 1;

		memset(message, 0, sizeof(*message));
		if (read_message(task, json_object_array_get_idx(list, i), message, &parts) < 0)
			return -1;
		mark_images(message, parts);
		if (is_system(message) && (c->native || first))
			str_printf(system, "%s%s", system->len > 0 ? "\n\n" : "", message->content);
		else
			c->chat.n_given++;
	}
	c->chat.given = given;
	c->chat.system = system->len > 0 ? system->at : NULL;
	return 0;
}

/* What is looked up and put on record: the last user's message.  Where there is none, as when an answer is to be
 * continued or a program has instructions only, the last message, but for a tool's: a result without a question is
 * none. AnythingLLM wants the last to be a user's. */
static int choose_question(struct completion *c)
{
	const struct llm_message *given = c->chat.given;
	int last = c->chat.n_given - 1, i = last;

	while (i >= 0 && !is_by(&given[i], "user"))
		i--;
	if (i >= 0 && (i == last || !c->native))
		c->chat.message = given[i].content;
	else if (!c->native && !is_by(&given[last], "tool") && !is_by(&given[last], "function"))
		c->chat.message = given[last].content;
	else
		return fail_field(&c->req->task, 400, "question_missing", "messages",
			"No user prompt found. Must be last element in message array with 'user' role.");
	return 0;
}

static int no_model(struct completion *c)
{
	/* To Open WebUI's clients none is like one that there is not. */
	if (c->req->route->form == FORM_DETAIL)
		return fail_field(&c->req->task, 400, "model_unknown", "model", "Model not found");
	return fail_field(&c->req->task, 400, "field_missing", "model",
		"model is missing: it is a workspace's slug or a model's name.");
}

int question_read(struct completion *c, const char **model)
{
	struct task *task = &c->req->task;
	struct provider_setup setup = provider_of_server(c->req->config);

	*model = NULL;
	c->webui = !c->native && (c->req->route->form == FORM_DETAIL || field_get(c->req->json, "files") != NULL);
	c->chat.numbered = c->webui;
	if (c->webui && openwebui_take_params(c->req) < 0)
		return -1;
	if (field_text(task, c->req->json, "model", model) < 0)
		return -1;
	if (*model == NULL || **model == '\0')
		return no_model(c);
	if (read_messages(c) < 0 || choose_question(c) < 0 || read_stream(c) < 0 || read_temperature(c) < 0 ||
		read_limits(c) < 0 || read_parameters(c) < 0)
		return -1;
	/* The server's own model is asked without a workspace. */
	if (c->native || setup.provider == &provider_quote || setup.model == NULL || strcmp(*model, setup.model) != 0)
		c->chat.slug = *model;
	return c->webui ? openwebui_read_items(c->req, &c->chat) : 0;
}

int question_unknown(struct completion *c, const char *model)
{
	struct task *task = &c->req->task;

	if (strcmp(task->failure.code, "workspace_unknown") == 0) {
		fail_clear(task);
		fail_field(task, 404, "model_unknown", "model", "The model '%s' does not exist", model);
	}
	return -1;
}
