/* SPDX-License-Identifier: ISC
 * Vectors for texts, as OpenAI's API and AnythingLLM's OpenAI routes have them, and the list of vector stores. */
#include <endian.h>
#include <sodium.h>
#include <string.h>

#include "api/api.h"
#include "base/field.h"
#include "base/json.h"
#include "base/metrics.h"
#include "core/embedder.h"
#include "core/limit.h"
#include "llm/provider.h"
#include "store/db.h"
#include "store/secret.h"
#include "web/reply.h"

enum {
	MAX_INPUTS = 2048,
	MAX_DIMENSIONS = 8192,
};

/* What is asked. */
struct wish {
	const char *model;
	const char **texts;
	int n;
	bool tokens; /* the texts are arrays of tokens' numbers, as JSON */
	bool base64;
	int dimensions; /* 0: not said */
	size_t bytes;   /* of all texts */
	bool native;    /* under /v1/openai: AnythingLLM's form */
};

/* ---- the request ---- */

static int input_wrong(struct request *req)
{
	return fail_field(&req->task, 400, "input_invalid", "input",
		"input must be a text, a list of texts, a list of tokens or a list of such lists; none may be empty.");
}

static bool is_tokens(struct json_object *value)
{
	size_t i, n = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;

	for (i = 0; i < n; i++)
		if (!json_object_is_type(json_object_array_get_idx(value, i), json_type_int))
			return false;
	return n > 0;
}

static int take_input(struct request *req, struct wish *wish, struct json_object *value)
{
	const char *text;

	if (!wish->native && is_tokens(value) && (wish->n == 0 || wish->tokens)) {
		wish->tokens = true;
		text = json_text(req->task.arena, value);
	} else if (json_object_is_type(value, json_type_string) && !wish->tokens) {
		text = json_object_get_string(value);
	} else {
		return input_wrong(req);
	}
	if (*text == '\0')
		return input_wrong(req);
	wish->bytes += strlen(text);
	wish->texts[wish->n++] = text;
	return 0;
}

/* AnythingLLM takes `inputs` too. */
static int read_input(struct request *req, struct wish *wish)
{
	struct json_object *input = field_get(req->json, "input");
	size_t i, n;

	if (input == NULL && wish->native)
		input = field_get(req->json, "inputs");
	if (json_object_is_type(input, json_type_array) && (wish->native || !is_tokens(input))) {
		n = json_object_array_length(input);
		if (n == 0 || n > MAX_INPUTS)
			return fail_field(&req->task, 400, "field_range", "input",
				"input must hold from 1 to %d texts.", MAX_INPUTS);
		wish->texts = arena_get(req->task.arena, n * sizeof(*wish->texts));
		for (i = 0; i < n; i++)
			if (take_input(req, wish, json_object_array_get_idx(input, i)) < 0)
				return -1;
		return 0;
	}
	wish->texts = arena_get(req->task.arena, sizeof(*wish->texts));
	return take_input(req, wish, input);
}

static int read_format(struct request *req, struct wish *wish)
{
	const char *format = NULL;
	double dimensions = 0;

	if (wish->native) /* the original looks at neither */
		return 0;
	if (field_text(&req->task, req->json, "encoding_format", &format) < 0 ||
		field_number(&req->task, req->json, "dimensions", &dimensions) < 0)
		return -1;
	wish->base64 = format != NULL && strcmp(format, "base64") == 0;
	if (format != NULL && !wish->base64 && strcmp(format, "float") != 0)
		return fail_field(
			&req->task, 400, "field_range", "encoding_format", "encoding_format must be float or base64.");
	if (field_get(req->json, "dimensions") != NULL &&
		(dimensions < 1 || dimensions > MAX_DIMENSIONS || dimensions != (int)dimensions))
		return fail_field(&req->task, 400, "field_range", "dimensions",
			"dimensions must be a whole number from 1 to %d.", MAX_DIMENSIONS);
	wish->dimensions = (int)dimensions;
	return 0;
}

static int read_wish(struct request *req, struct wish *wish)
{
	wish->native = req->route->form == FORM_NATIVE_OPENAI;
	if (!wish->native && field_text(&req->task, req->json, "model", &wish->model) < 0)
		return -1;
	return read_input(req, wish) < 0 ? -1 : read_format(req, wish);
}

/* ---- the answer ---- */

static void put_base64(struct str *out, const float *at, int n)
{
	size_t bytes = (size_t)n * sizeof(*at), room = sodium_base64_encoded_len(bytes, sodium_base64_VARIANT_ORIGINAL);
	uint32_t *little = arena_get(out->arena, bytes);
	char *text = arena_get(out->arena, room);
	int i;

	for (i = 0; i < n; i++) {
		memcpy(&little[i], &at[i], sizeof(*little));
		little[i] = htole32(little[i]);
	}
	sodium_bin2base64(text, room, (const unsigned char *)little, bytes, sodium_base64_VARIANT_ORIGINAL);
	str_printf(out, "\"%s\"", text);
}

/* Nine digits say a float exactly. */
static void put_numbers(struct str *out, const float *at, int n)
{
	int i;

	for (i = 0; i < n; i++)
		str_printf(out, "%s%.9g", i == 0 ? "[" : ",", (double)at[i]);
	str_putc(out, ']');
}

static int reply_vectors(struct request *req, const struct wish *wish, const struct embed_call *call, int64_t tokens)
{
	struct str *out = str_new(req->task.arena);
	int i;

	str_puts(out, "{\"object\":\"list\",\"data\":[");
	for (i = 0; i < call->n_texts; i++) {
		const float *at = call->vectors + (size_t)i * (size_t)call->dimension;

		str_printf(out, "%s{\"object\":\"embedding\"", i == 0 ? "" : ",");
		if (!wish->native)
			str_printf(out, ",\"index\":%d", i);
		str_puts(out, ",\"embedding\":");
		if (wish->base64)
			put_base64(out, at, call->dimension);
		else
			put_numbers(out, at, call->dimension);
		if (wish->native)
			str_printf(out, ",\"index\":%d", i);
		str_putc(out, '}');
	}
	str_puts(out, "],\"model\":");
	str_json_text(out, call->setup->model);
	if (!wish->native)
		str_printf(out, ",\"usage\":{\"prompt_tokens\":%lld,\"total_tokens\":%lld}", (long long)tokens,
			(long long)tokens);
	str_putc(out, '}');
	return reply_json(req, 200, out->at, out->len);
}

/* Under the caller's limits, if it has some. */
static int make_vectors(struct embed_call *call, size_t bytes, int64_t *tokens)
{
	struct task *task = call->task;
	const char *ticket = task->identity.limited ? secret_new_uuid(task->arena) : NULL;
	int result;

	if (ticket != NULL && limit_hold(task, ticket, bytes) < 0)
		return -1;
	result = embed_texts(call);
	*tokens = result < 0 ? 0 : call->n_tokens < 0 ? llm_tokens(bytes) : call->n_tokens;
	if (ticket != NULL)
		limit_settle(task, ticket, *tokens, result == 0);
	return result;
}

int openai_embedding_create(struct request *req)
{
	struct wish wish = {0};
	struct embed_setup setup;
	struct embed_call call = {.task = &req->task, .config = req->config, .setup = &setup, .arena = req->task.arena};
	int64_t tokens;

	if (read_wish(req, &wish) < 0 || embedder_choose(&req->task, req->config, wish.model, &setup) < 0)
		return -1;
	if (wish.tokens && setup.ollama)
		return input_wrong(req);
	if (wish.dimensions > 0)
		setup.dimensions = wish.dimensions;
	call.texts = wish.texts;
	call.n_texts = wish.n;
	call.tokens = wish.tokens;
	call.answer = true;
	if (make_vectors(&call, wish.bytes, &tokens) < 0)
		return -1;
	if (db_rows(&req->task, &sql_usage_embedding,
		    ARGS(setup.provider, setup.model, db_int_arg(req->task.arena, tokens),
			    db_bool_arg(call.n_tokens < 0))) == NULL)
		return -1;
	metrics_add(METRIC_TOKENS, metrics_provider(setup.provider, METRICS_EMBEDDING), METRICS_IN, tokens);
	return reply_vectors(req, &wish, &call, tokens);
}

/* Paging is not there; the original answers any query with an empty page, which ends it. */
int openai_vector_store_list(struct request *req)
{
	PGresult *rows;

	if (*req->query != '\0') {
		if (db_enter(&req->task) < 0)
			return -1;
		return reply_json_text(req, 200, "{\"data\":[],\"has_more\":false}");
	}
	rows = db_rows(&req->task, &sql_vector_store_list, NO_ARGS);
	if (rows == NULL)
		return -1;
	if (db_text(rows, 0, "stores") == NULL)
		return reply_json_text(req, 200, "{\"data\":[],\"has_more\":false}");
	return reply_json_printf(req, 200, "{\"first_id\":%s,\"last_id\":%s,\"data\":[%s],\"has_more\":false}",
		db_text(rows, 0, "first_id"), db_text(rows, 0, "last_id"), db_text(rows, 0, "stores"));
}
