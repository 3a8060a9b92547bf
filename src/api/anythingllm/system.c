/* SPDX-License-Identifier: ISC
 * What the tenant has set, under AnythingLLM's names. */
#include <string.h>

#include "api/anythingllm/env.h"
#include "api/api.h"
#include "base/field.h"
#include "base/json.h"
#include "llm/provider.h"
#include "store/db.h"
#include "web/reply.h"

/* What is shown, and where it comes from. */
struct showing {
	struct request *req;
	struct str *out;
	struct json_object *settings, *providers;
	struct provider_setup server;
};

int anythingllm_env_dump(struct request *req)
{
	if (db_enter(&req->task) < 0)
		return -1;
	return reply_text(req, 200, "OK");
}

static const char *text_member(struct json_object *object, const char *name)
{
	struct json_object *value = object == NULL ? NULL : field_get(object, name);

	return value == NULL ? NULL : json_object_get_string(value);
}

static struct json_object *provider_row(const struct showing *show, const char *name, bool preferred)
{
	size_t i;

	for (i = 0; i < json_object_array_length(show->providers); i++) {
		struct json_object *row = json_object_array_get_idx(show->providers, i);

		if (preferred ? json_object_get_boolean(field_get(row, "preferred"))
			      : strcmp(text_member(row, "name"), name) == 0)
			return row;
	}
	return NULL;
}

/* What a key stands for, as text; NULL when it is not set.  Of a secret only that there is one. */
static const char *value_of(const struct showing *show, const struct env_key *key)
{
	struct json_object *row = key->service == NULL ? NULL : provider_row(show, key->service, false);

	switch (key->sets) {
	case SETS_KEY:
		return row != NULL && json_object_get_boolean(field_get(row, "has_key")) ? "" : NULL;
	case SETS_MODEL:
		return text_member(row, "model");
	case SETS_URL:
		return text_member(row, "url");
	case SETS_CONTEXT:
		return text_member(row, "context");
	case SETS_EMBED_DIMENSIONS:
		return text_member(show->settings, "embedding_dimensions");
	case SETS_EMBED_URL: {
		const char *engine = text_member(show->settings, "embedding_provider");

		return engine == NULL ? NULL : text_member(provider_row(show, engine, false), "url");
	}
	case SETS_CHUNK:
		return text_member(show->settings, "chunk_size");
	default:
		return NULL;
	}
}

static void put_key(const struct showing *show, const struct env_key *key)
{
	const char *value = value_of(show, key);
	struct str *out = show->out;

	if (key->shown == SHOWN_ELSEWHERE || (key->shown == SHOWN_TEXT && value == NULL))
		return;
	str_printf(out, ",\"%s\":", key->name);
	if (key->shown == SHOWN_SET)
		str_puts(out, value != NULL ? "true" : "false");
	else if (key->shown == SHOWN_SET_OR_NULL)
		str_puts(out, value != NULL ? "true" : "null");
	else if (key->shown == SHOWN_PRESET && value == NULL)
		str_puts(out, key->preset);
	else
		str_json_text(out, value);
}

static void put_text(struct str *out, const char *name, const char *value)
{
	str_printf(out, ",\"%s\":", name);
	str_json_text(out, value);
}

static void put_switch(const struct showing *show, const char *name, const char *setting, bool preset)
{
	const char *value = text_member(show->settings, setting);

	str_printf(
		show->out, ",\"%s\":%s", name, (value == NULL ? preset : strcmp(value, "on") == 0) ? "true" : "false");
}

/* Without the ending that tells a provider for embeddings alone from the one that answers. */
static const char *engine_of(const struct showing *show)
{
	const char *engine = text_member(show->settings, "embedding_provider"), *ending;

	if (engine == NULL)
		return show->req->config->embed_provider != NULL ? show->req->config->embed_provider : "native";
	ending = strstr(engine, "-embedding");
	return ending == NULL ? engine : arena_copy(show->req->task.arena, engine, (size_t)(ending - engine));
}

/* The block that is always there. */
static void put_general(const struct showing *show, bool documents, bool vectors)
{
	struct json_object *preferred = provider_row(show, NULL, true);
	const char *model = text_member(show->settings, "embedding_model");
	const char *turns = text_member(show->settings, "agent_clarifying_questions_max_per_turn");
	struct str *out = show->out;

	str_puts(out, "\"RequiresAuth\":true,\"AuthToken\":false,\"JWTSecret\":false");
	put_switch(show, "MultiUserMode", "multi_user", true);
	put_switch(show, "MemoryEnabled", "memory_enabled", false);
	put_switch(show, "MemoryAutoExtraction", "memory_auto_extraction", false);
	str_puts(out, ",\"DisableTelemetry\":\"true\"");
	put_text(out, "EmbeddingEngine", engine_of(show));
	str_printf(out, ",\"HasExistingEmbeddings\":%s,\"HasCachedEmbeddings\":%s", documents ? "true" : "false",
		vectors ? "true" : "false");
	if (model == NULL && text_member(show->settings, "embedding_provider") == NULL)
		model = show->req->config->embed_model;
	put_text(out, "EmbeddingModelPref", model == NULL ? "" : model);
	str_puts(out, ",\"VectorDB\":\"exedra\"");
	put_text(out, "LLMProvider", preferred != NULL ? text_member(preferred, "name") : show->server.name);
	put_text(out, "LLMModel", preferred != NULL ? text_member(preferred, "model") : show->server.model);
	str_puts(out, ",\"PGVectorConnectionString\":false,\"PGVectorTableName\":\"\",\"DisableViewChatHistory\":false,"
		      "\"WorkspaceDeletionProtection\":false");
	put_switch(show, "SimpleSSOEnabled", "simple_sso", false);
	str_puts(out, ",\"SimpleSSONoLogin\":false,\"SimpleSSONoLoginRedirect\":null,\"AgentSkillMaxToolCalls\":10,"
		      "\"AgentSkillRerankerEnabled\":false,\"AgentSkillRerankerTopN\":15");
	put_switch(show, "AgentClarifyingQuestionsEnabled", "agent_clarifying_questions_enabled", false);
	str_printf(out, ",\"AgentClarifyingQuestionsMaxPerTurn\":%s", turns == NULL ? "3" : turns);
}

int anythingllm_system(struct request *req)
{
	PGresult *rows = db_rows(&req->task, &sql_setting_system, NO_ARGS);
	struct showing show = {.req = req, .out = str_new(req->task.arena), .server = provider_of_server(req->config)};
	const struct env_key *key;
	const char *settings, *providers;

	if (rows == NULL)
		return -1;
	settings = db_text(rows, 0, "settings");
	providers = db_text(rows, 0, "providers");
	show.settings = json_read(&req->task, settings, strlen(settings));
	show.providers = json_read(&req->task, providers, strlen(providers));
	if (show.settings == NULL || show.providers == NULL)
		return -1;
	str_puts(show.out, "{\"settings\":{");
	put_general(&show, db_true(rows, 0, "has_documents"), db_true(rows, 0, "has_vectors"));
	for (key = env_keys; key->name != NULL; key++)
		put_key(&show, key);
	str_puts(show.out, "}}");
	return reply_json(req, 200, show.out->at, show.out->len);
}
