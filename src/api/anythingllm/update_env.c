/* SPDX-License-Identifier: ISC
 * AnythingLLM's settings as it takes them: key by key in the body's order, until one is refused; what came before it
 * holds. They become rows of the tenant's: providers, whose keys are sealed, and settings. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/anythingllm/env.h"
#include "api/api.h"
#include "base/field.h"
#include "base/json.h"
#include "base/outbound.h"
#include "base/url.h"
#include "llm/provider.h"
#include "store/db.h"
#include "store/secret.h"
#include "web/reply.h"

enum { MOST_SERVICES = 64 };

#define MASK "******"

/* What is to become of a provider's row. */
struct wish {
	const char *name;
	const char *address, *key, *model, *context; /* NULL: not said */
};

struct changes {
	struct request *req;
	struct arena *arena;
	struct json_object *providers; /* those that there are */
	const char *tenant_id;
	struct wish wishes[MOST_SERVICES];
	int n_wishes;
	const char *llm, *engine, *embed_url; /* NULL: not said */
	struct json_object *settings;         /* to be set; null takes one back */
	struct json_object *echo;             /* what has been applied */
	const char *error;                    /* why it ended there; NULL: it did not */
};

static struct json_object *row_of(const struct changes *changes, const char *name)
{
	size_t i;

	for (i = 0; i < json_object_array_length(changes->providers); i++) {
		struct json_object *row = json_object_array_get_idx(changes->providers, i);

		if (strcmp(json_object_get_string(field_get(row, "name")), name) == 0)
			return row;
	}
	return NULL;
}

static struct wish *wish_of(struct changes *changes, const char *name)
{
	int i;

	for (i = 0; i < changes->n_wishes; i++)
		if (strcmp(changes->wishes[i].name, name) == 0)
			return &changes->wishes[i];
	if (changes->n_wishes == MOST_SERVICES)
		return &changes->wishes[0];
	changes->wishes[changes->n_wishes].name = name;
	return &changes->wishes[changes->n_wishes++];
}

static bool is_wished(const struct changes *changes, const char *name)
{
	int i;

	for (i = 0; i < changes->n_wishes; i++)
		if (strcmp(changes->wishes[i].name, name) == 0)
			return true;
	return false;
}

static void set(struct changes *changes, const char *setting, const char *value)
{
	json_object_object_add(
		changes->settings, setting, value == NULL || *value == '\0' ? NULL : json_object_new_string(value));
}

/* ---- one key ---- */

/* An address in numbers can be judged now; a name when the socket is opened. */
static const char *judge_address(const struct changes *changes, const char *key, const char *text)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	const char *allowed = changes->req->config->outbound_allow;
	struct addrinfo *found = NULL;
	struct url url;
	size_t len;
	char host[256];
	bool permitted = true;

	if (url_read(changes->arena, text, &url) < 0)
		return arena_printf(changes->arena, "%s: not a valid URL.", key);
	len = strlen(url.host);
	if (len > 2 && url.host[0] == '[')
		snprintf(host, sizeof(host), "%.*s", (int)(len - 2), url.host + 1);
	else
		snprintf(host, sizeof(host), "%s", url.host);
	if (getaddrinfo(host, NULL, &hints, &found) == 0) {
		permitted = outbound_permitted(found->ai_addr, allowed == NULL ? "" : allowed);
		freeaddrinfo(found);
	}
	return permitted ? NULL
			 : arena_printf(changes->arena,
				   "%s: only the operator can permit an address that is not public (outbound.allow).",
				   key);
}

static const char *take_service(struct changes *changes, const struct env_key *key, const char *value)
{
	struct wish *wish;

	if (key->sets == SETS_URL) {
		const char *url = env_service_url(changes->arena, key->service, value);
		const char *problem = judge_address(changes, key->name, url);

		if (problem != NULL)
			return problem;
	}
	if (key->sets == SETS_KEY && *value != '\0' && secret_seal(changes->arena, "", "") == NULL)
		return arena_printf(changes->arena,
			"%s cannot be stored: the server has no key file (secret.file), which the operator makes.",
			key->name);
	wish = wish_of(changes, key->service);
	*(key->sets == SETS_KEY           ? &wish->key
		: key->sets == SETS_URL   ? &wish->address
		: key->sets == SETS_MODEL ? &wish->model
					  : &wish->context) = value;
	return NULL;
}

/* Whether there is anything to speak to under this name, now or with what has been said. */
static const char *take_provider(struct changes *changes, const char *key, const char *name)
{
	if (!env_service(name))
		return arena_printf(changes->arena, "%s: %s cannot be spoken to here.", key, name);
	return NULL;
}

static const char *take_llm(struct changes *changes, const char *value)
{
	const char *problem = strcmp(value, "quote") == 0 ? NULL : take_provider(changes, "LLMProvider", value);

	if (problem == NULL)
		changes->llm = value;
	return problem;
}

static const char *take_engine(struct changes *changes, const char *value)
{
	const char *problem = strcmp(value, "native") == 0 ? NULL : take_provider(changes, "EmbeddingEngine", value);

	if (problem == NULL)
		changes->engine = value;
	return problem;
}

static const char *take_embed_url(struct changes *changes, const char *value)
{
	const char *problem = judge_address(changes, "EmbeddingBasePath", value);

	if (problem == NULL)
		changes->embed_url = value;
	return problem;
}

/* Within what the setting takes. */
static const char *chunk_of(struct arena *arena, const char *value)
{
	int size = atoi(value);

	return arena_printf(arena, "%d", size < 100 ? 100 : size > 8000 ? 8000 : size);
}

/* NULL when it is taken, else why not. */
static const char *take(struct changes *changes, const struct env_key *key, const char *value)
{
	const char *problem = key->sets == SETS_NEVER ? "Cannot set this setting." : NULL;

	if (problem == NULL && key->sets != SETS_ABSENT)
		problem = env_check(changes->arena, key, value);
	if (problem != NULL)
		return problem;
	switch (key->sets) {
	case SETS_KEY:
	case SETS_MODEL:
	case SETS_URL:
	case SETS_CONTEXT:
		return take_service(changes, key, value);
	case SETS_LLM:
		return take_llm(changes, value);
	case SETS_ENGINE:
		return take_engine(changes, value);
	case SETS_EMBED_URL:
		return take_embed_url(changes, value);
	case SETS_EMBED_MODEL:
		if (strlen(value) > 255)
			return "Value is too long";
		set(changes, "embedding_model", value);
		return NULL;
	case SETS_EMBED_DIMENSIONS:
		set(changes, "embedding_dimensions", value);
		return NULL;
	case SETS_CHUNK:
		set(changes, "chunk_size", chunk_of(changes->arena, value));
		return NULL;
	case SETS_PROMPT:
		set(changes, "default_prompt", value);
		return NULL;
	case SETS_TELEMETRY:
		return strcmp(value, "false") == 0 ? "DisableTelemetry: there is no telemetry here." : NULL;
	case SETS_VECTOR:
		return strcmp(value, "exedra") == 0 ? NULL
						    : "VectorDB: only the operator can change where vectors are kept.";
	default:
		return arena_printf(
			changes->arena, "%s cannot be set here: there is nothing that it is for.", key->name);
	}
}

/* Numbers and booleans count as their text. */
static const char *text_of(struct json_object *value)
{
	return value == NULL || json_object_is_type(value, json_type_object) ||
			       json_object_is_type(value, json_type_array)
		       ? NULL
		       : json_object_get_string(value);
}

static void read_keys(struct changes *changes)
{
	struct json_object_iterator at = json_object_iter_begin(changes->req->json);
	struct json_object_iterator end = json_object_iter_end(changes->req->json);

	for (; changes->error == NULL && !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
		const struct env_key *key = env_find(json_object_iter_peek_name(&at));
		struct json_object *value = json_object_iter_peek_value(&at);
		const char *text = text_of(value);

		if (key == NULL || key->sets == SETS_NOTHING || value == NULL ||
			(text != NULL && strstr(text, MASK) != NULL))
			continue;
		changes->error = text == NULL ? arena_printf(changes->arena, "%s must be a text.", key->name)
					      : take(changes, key, text);
		if (changes->error == NULL)
			json_object_object_add(changes->echo, key->name,
				json_object_new_string(key->sets == SETS_KEY && *text != '\0' ? MASK : text));
	}
}

/* ---- all of it ---- */

/* The address of a provider's row as it will be; NULL when none has been named. */
static const char *address_of(const struct changes *changes, const struct wish *wish)
{
	struct json_object *row = row_of(changes, wish->name);

	if (wish->address == NULL && row != NULL)
		return json_object_get_string(field_get(row, "url"));
	return env_service_url(changes->arena, wish->name, wish->address);
}

static void refuse_wish(struct changes *changes, const struct wish *wish)
{
	const struct env_key *key;

	for (key = env_keys; key->name != NULL; key++)
		if (key->service != NULL && strcmp(key->service, wish->name) == 0)
			json_object_object_del(changes->echo, key->name);
}

/* Which row the tenant's embedder is: one for embeddings alone where an address or a key of its own was given. */
static void settle_engine(struct changes *changes, const char *now)
{
	const char *engine = changes->engine != NULL ? changes->engine : now, *own;

	if (changes->engine != NULL && strcmp(engine, "native") == 0) {
		set(changes, "embedding_provider", NULL);
		set(changes, "embedding_model", NULL);
		set(changes, "embedding_dimensions", NULL);
		return;
	}
	if (engine == NULL || strcmp(engine, "none") == 0)
		return;
	own = strstr(engine, "-embedding") != NULL ? engine : arena_printf(changes->arena, "%s-embedding", engine);
	if (changes->embed_url != NULL)
		wish_of(changes, own)->address = changes->embed_url;
	if (is_wished(changes, own) || row_of(changes, own) != NULL)
		engine = own;
	else if (changes->engine == NULL)
		return;
	set(changes, "embedding_provider", engine);
	if (row_of(changes, engine) == NULL && (changes->req->config->embed_provider == NULL ||
						       strcmp(changes->req->config->embed_provider, engine) != 0))
		wish_of(changes, engine);
}

/* The name of the provider that is preferred, "" for the server's; NULL leaves it. */
static const char *settle_llm(struct changes *changes)
{
	const char *name = changes->llm, *server = provider_of_server(changes->req->config).name;

	if (name == NULL)
		return NULL;
	if (row_of(changes, name) == NULL && !is_wished(changes, name)) {
		if (strcmp(name, server) == 0 || strcmp(name, "quote") == 0)
			return "";
		wish_of(changes, name);
	}
	return name;
}

static void put_wish(struct changes *changes, struct json_object *list, const struct wish *wish, const char *url)
{
	struct json_object *out = json_object_new_object();
	const char *sealed = NULL;

	if (wish->key != NULL && *wish->key != '\0')
		sealed = secret_seal(changes->arena, wish->key,
			arena_printf(changes->arena, "%s %s %s", changes->tenant_id, wish->name, url));
	if (out == NULL)
		arena_exhausted(changes->arena);
	json_object_array_add(list, out);
	json_object_object_add(out, "name", json_object_new_string(wish->name));
	json_object_object_add(
		out, "kind", json_object_new_string(strncmp(wish->name, "ollama", 6) == 0 ? "ollama" : "openai"));
	json_object_object_add(out, "url", json_object_new_string(url));
	if (wish->key != NULL)
		json_object_object_add(out, "key", sealed == NULL ? NULL : json_object_new_string(sealed));
	if (wish->model != NULL)
		json_object_object_add(out, "model", *wish->model == '\0' ? NULL : json_object_new_string(wish->model));
	if (wish->context != NULL)
		json_object_object_add(
			out, "context", *wish->context == '\0' ? NULL : json_object_new_int(atoi(wish->context)));
}

/* The rows as they are to be; what has no address, or none that is permitted, is refused. */
static const char *write_wishes(struct changes *changes, const char **preferred)
{
	struct json_object *list = json_keep(changes->arena, json_object_new_array());
	int i;

	for (i = 0; i < changes->n_wishes; i++) {
		const struct wish *wish = &changes->wishes[i];
		const char *url = address_of(changes, wish), *problem;

		problem = url == NULL ? arena_printf(changes->arena, "%s: name its address first, or with the rest.",
						wish->name)
				      : judge_address(changes, wish->name, url);
		if (problem == NULL) {
			put_wish(changes, list, wish, url);
			continue;
		}
		if (changes->error == NULL)
			changes->error = problem;
		refuse_wish(changes, wish);
		if (*preferred != NULL && strcmp(*preferred, wish->name) == 0) {
			*preferred = NULL;
			json_object_object_del(changes->echo, "LLMProvider");
		}
		if (field_get(changes->settings, "embedding_provider") != NULL &&
			strcmp(json_object_get_string(field_get(changes->settings, "embedding_provider")),
				wish->name) == 0) {
			json_object_object_del(changes->settings, "embedding_provider");
			json_object_object_del(changes->echo, "EmbeddingEngine");
			json_object_object_del(changes->echo, "EmbeddingBasePath");
		}
	}
	return json_text(changes->arena, list);
}

static int apply(struct changes *changes, const char *engine_now)
{
	const char *preferred, *providers;

	settle_engine(changes, engine_now);
	preferred = settle_llm(changes);
	providers = write_wishes(changes, &preferred);
	return db_rows(&changes->req->task, &sql_setting_apply,
		       ARGS(providers, preferred, json_text(changes->arena, changes->settings))) == NULL
		       ? -1
		       : 0;
}

static int reply_changes(struct changes *changes)
{
	struct str *out = str_new(changes->arena);

	str_puts(out, "{\"newValues\":");
	str_puts(out, json_text(changes->arena, changes->echo));
	str_puts(out, ",\"error\":");
	if (changes->error == NULL)
		str_puts(out, "false");
	else
		str_json_text(out, changes->error);
	str_puts(out, "}");
	return reply_json(changes->req, 200, out->at, out->len);
}

int anythingllm_update_env(struct request *req)
{
	struct changes *changes = arena_get(req->task.arena, sizeof(*changes));
	PGresult *rows = db_rows(&req->task, &sql_setting_system, NO_ARGS);
	struct json_object *settings, *engine;

	if (rows == NULL)
		return -1;
	*changes = (struct changes){.req = req,
		.arena = req->task.arena,
		.tenant_id = db_text(rows, 0, "tenant_id"),
		.settings = json_keep(req->task.arena, json_object_new_object()),
		.echo = json_keep(req->task.arena, json_object_new_object())};
	changes->providers =
		json_read(&req->task, db_text(rows, 0, "providers"), strlen(db_text(rows, 0, "providers")));
	settings = json_read(&req->task, db_text(rows, 0, "settings"), strlen(db_text(rows, 0, "settings")));
	if (changes->providers == NULL || settings == NULL)
		return -1;
	engine = field_get(settings, "embedding_provider");
	read_keys(changes);
	if (apply(changes, engine == NULL ? NULL : json_object_get_string(engine)) < 0)
		return -1;
	return reply_changes(changes);
}
