/* SPDX-License-Identifier: ISC
 * POST /v1/admin/preferences: what AnythingLLM keeps of a whole installation, made to fit as it does it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/field.h"
#include "base/json.h"
#include "base/url.h"
#include "store/db.h"
#include "store/secret.h"
#include "web/reply.h"

enum kind { TEXT, NUMBER, FLAG, NAMES, LINKS, SEALED };

static const struct preference {
	const char *key, *setting; /* NULL: of the same name */
	enum kind kind;
	int least, most, preset;
} preferences[] = {
	{"default_system_prompt", "default_prompt", TEXT, 0, 0, 0},
	{"text_splitter_chunk_size", "chunk_size", NUMBER, 100, 8000, 1000},
	{"text_splitter_chunk_overlap", "chunk_overlap", NUMBER, 0, 1000, 20},
	{"agent_clarifying_questions_max_per_turn", NULL, NUMBER, 1, 100, 3},
	{"agent_clarifying_questions_enabled", NULL, FLAG, 0, 0, 0},
	{"experimental_live_file_sync", NULL, FLAG, 0, 0, 0},
	{"memory_enabled", NULL, FLAG, 0, 0, 0},
	{"memory_auto_extraction", NULL, FLAG, 0, 0, 0},
	{"default_agent_skills", NULL, NAMES, 0, 0, 0},
	{"disabled_agent_skills", NULL, NAMES, 0, 0, 0},
	{"disabled_filesystem_skills", NULL, NAMES, 0, 0, 0},
	{"disabled_create_files_skills", NULL, NAMES, 0, 0, 0},
	{"disabled_gmail_skills", NULL, NAMES, 0, 0, 0},
	{"disabled_google_calendar_skills", NULL, NAMES, 0, 0, 0},
	{"disabled_outlook_skills", NULL, NAMES, 0, 0, 0},
	{"footer_data", NULL, LINKS, 0, 0, 0},
	{"logo_filename", NULL, TEXT, 0, 0, 0},
	{"telemetry_id", NULL, TEXT, 0, 0, 0},
	{"support_email", NULL, TEXT, 0, 0, 0},
	{"agent_search_provider", NULL, TEXT, 0, 0, 0},
	{"custom_app_name", NULL, TEXT, 0, 0, 0},
	{"meta_page_title", NULL, TEXT, 0, 0, 0},
	{"meta_page_favicon", NULL, TEXT, 0, 0, 0},
	{"gmail_agent_config", NULL, SEALED, 0, 0, 0},
	{"google_calendar_agent_config", NULL, SEALED, 0, 0, 0},
	{"outlook_agent_config", NULL, SEALED, 0, 0, 0},
	{"agent_sql_connections", NULL, SEALED, 0, 0, 0},
	{"hub_api_key", NULL, SEALED, 0, 0, 0},
};

enum { N_PREFERENCES = sizeof(preferences) / sizeof(preferences[0]), MOST_BYTES = 65536, MOST_LINKS = 3 };

/* What is no number, or too small, is the default; too much is the most. */
static const char *number_of(struct arena *arena, const struct preference *p, const char *text)
{
	char *end;
	double number = strtod(text, &end);

	if (*text == '\0' || *end != '\0' || !isfinite(number) || number < p->least)
		number = p->preset;
	return arena_printf(arena, "%d", number > p->most ? p->most : (int)number);
}

/* Names separated by commas. */
static const char *names_of(struct arena *arena, const char *text)
{
	struct json_object *list = json_keep(arena, json_object_new_array());

	while (*text != '\0') {
		size_t len = strcspn(text, ",");

		if (len > 0)
			json_object_array_add(list, json_object_new_string_len(text, (int)len));
		text += len + (text[len] == ',');
	}
	return json_text(arena, list);
}

/* The first three that have an address. */
static const char *links_of(struct arena *arena, const char *text)
{
	struct json_object *list = json_keep(arena, json_object_new_array()), *given;
	struct task reading = {.arena = arena, .gone_fd = -1}; /* what is no JSON is no failure */
	struct url url;
	size_t i;

	given = json_read(&reading, text, strlen(text));
	for (i = 0; json_object_is_type(given, json_type_array) && i < json_object_array_length(given); i++) {
		struct json_object *one = json_object_array_get_idx(given, i), *address;

		address = json_object_is_type(one, json_type_object) ? field_get(one, "url") : NULL;
		if (address != NULL && url_read(arena, json_object_get_string(address), &url) == 0 &&
			json_object_array_length(list) < MOST_LINKS)
			json_object_array_add(list, json_object_get(one));
	}
	return json_text(arena, list);
}

static bool flag_of(const char *text)
{
	return strcmp(text, "true") == 0 || strcmp(text, "enabled") == 0 || strcmp(text, "on") == 0 ||
	       strcmp(text, "1") == 0;
}

/* The text that is stored; "" takes the setting back, NULL leaves it. */
static const char *fit(struct request *req, const struct preference *p, const char *text)
{
	struct arena *arena = req->task.arena;

	/* What is sealed, or put into JSON, grows. */
	if (strlen(text) > (size_t)(p->kind == TEXT ? MOST_BYTES : MOST_BYTES / 4))
		return NULL;
	switch (p->kind) {
	case TEXT:
		return text;
	case NUMBER:
		return number_of(arena, p, text);
	case FLAG:
		return flag_of(text) ? "on" : "off";
	case NAMES:
		return names_of(arena, text);
	case LINKS:
		return links_of(arena, text);
	case SEALED:
		return *text == '\0' ? ""
				     : secret_seal(arena, text,
					       arena_printf(arena, "%lld %s", (long long)req->task.identity.tenant_id,
						       p->key));
	}
	return NULL;
}

/* The settings as JSON, or NULL with the key that cannot be stored. */
static const char *read_preferences(struct request *req, const char **refused)
{
	struct str *out = str_new(req->task.arena);
	int i;

	str_putc(out, '{');
	for (i = 0; i < N_PREFERENCES; i++) {
		const struct preference *p = &preferences[i];
		struct json_object *value = field_get(req->json, p->key);
		const char *text;

		if (!field_given(req->json, p->key))
			continue;
		text = value == NULL ? "" : json_object_get_string(value);
		if (text == NULL)
			arena_exhausted(req->task.arena);
		text = fit(req, p, text);
		if (text == NULL) {
			*refused = p->key;
			return NULL;
		}
		str_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", p->setting == NULL ? p->key : p->setting);
		str_json_text(out, *text == '\0' ? NULL : text);
	}
	str_putc(out, '}');
	return out->at;
}

int anythingllm_preferences(struct request *req)
{
	const char *refused = NULL, *settings = read_preferences(req, &refused);

	if (settings == NULL) {
		if (db_enter(&req->task) < 0)
			return -1;
		return reply_json_printf(req, 200,
			"{\"success\":false,\"error\":\"%s is too long, or a secret and the server has no key file "
			"(secret.file).\"}",
			refused);
	}
	if (db_rows(&req->task, &sql_setting_put, ARGS(settings)) == NULL)
		return -1;
	return reply_json_text(req, 200, "{\"success\":true,\"error\":null}");
}
