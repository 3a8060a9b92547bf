/* SPDX-License-Identifier: ISC */
#include "base/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/outbound.h"
#include "base/url.h"
#include "config.h"

extern char **environ;

enum kind { TEXT, NUMBER, OCTAL, SWITCH, LEVEL, ENCODING, URL, PORTS };

static const char *const kind_names[] = {
	"text", "number", "octal", "on/off", "level", "encoding", [URL] = "text", [PORTS] = "text"};

struct setting {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *preset; /* NULL: unset */
	int least, most;
	const char *description;
};

#define AT(member) offsetof(struct config, member)

static const struct setting settings[] = {
	{"listen", TEXT, AT(listen), "/run/exedra/exedra.sock", 0, 0,
		"Where the web server finds us: a path, or a loopback address and port."},
	{"socket.mode", OCTAL, AT(socket_mode), "0660", 0, 0777, "Permissions of the socket."},
	{"processes", NUMBER, AT(processes), "0", 0, 256, "Worker processes; 0 is one a core."},
	{"threads", NUMBER, AT(threads), "4096", 8, 16384,
		"Requests a worker answers at the same time; streams and uploads hold at most 7/8 of them."},
	{"drain", NUMBER, AT(drain_s), "30", 10, 3600, "Seconds that requests have to finish when a worker ends."},
	{"body.timeout", NUMBER, AT(body_timeout_s), "30", 1, 3600,
		"Seconds without a byte after which a request, or a client that does not read, is given up."},
	{"stream.keepalive", NUMBER, AT(keepalive_s), "15", 1, 600,
		"Seconds of a model's silence after which a stream sends a sign of life."},
	{"db.url", TEXT, AT(db_url), "dbname=exedra", 0, 0, "libpq connection string or URI of the database."},
	{"db.pool", NUMBER, AT(db_pool), "4", 1, 100, "Database connections of a worker process."},
	{"db.prepare", SWITCH, AT(db_prepare), "on", 0, 0,
		"Prepared statements; off behind a pooler in transaction mode."},
	{"db.timeout", NUMBER, AT(db_timeout_s), "30", 1, 3600, "Seconds after which a statement is given up."},
	{"metrics.loopback", SWITCH, AT(metrics_loopback), "off", 0, 0,
		"Whether clients on the web server's own machine may read /metrics without a key."},
	{"log.level", LEVEL, AT(log_level), "info", 0, 0, "error, warning, info or debug."},
	{"llm.provider", TEXT, AT(llm_provider), NULL, 0, 0,
		"What the server's provider is called; a well-known service (openai, mistral, ollama ...) needs no "
		"llm.url."},
	{"llm.url", URL, AT(llm_url), NULL, 0, 0,
		"Base URL of an OpenAI-compatible provider, with its /v1; unset: answers quote documents."},
	{"llm.key", TEXT, AT(llm_key), NULL, 0, 0, "Its API key."},
	{"llm.model", TEXT, AT(llm_model), NULL, 0, 0, "The model to ask when a workspace names none."},
	{"llm.context", NUMBER, AT(llm_context_tokens), "8192", 512, 16777216, "Tokens of the model's context window."},
	{"llm.timeout.connect", NUMBER, AT(llm_connect_timeout_s), "5", 1, 600, "Seconds to connect to the provider."},
	{"llm.timeout.first", NUMBER, AT(llm_first_timeout_s), "60", 1, 3600,
		"Seconds until the provider's first byte."},
	{"llm.timeout.idle", NUMBER, AT(llm_idle_timeout_s), "30", 1, 3600,
		"Seconds of silence between two of its bytes."},
	{"llm.timeout.total", NUMBER, AT(llm_total_timeout_s), "1800", 10, 86400,
		"Seconds that one answer of the provider may take in all."},
	{"embed.provider", TEXT, AT(embed_provider), NULL, 0, 0,
		"What the server's embedder is called; a well-known service (openai, mistral, ollama ...) needs no "
		"embed.url."},
	{"embed.url", URL, AT(embed_url), NULL, 0, 0,
		"Base URL of an API with OpenAI's embeddings, with its /v1; unset: documents are found by words."},
	{"embed.key", TEXT, AT(embed_key), NULL, 0, 0, "Its API key."},
	{"embed.model", TEXT, AT(embed_model), NULL, 0, 0, "The model that makes the vectors."},
	{"embed.dimensions", NUMBER, AT(embed_dimensions), "0", 0, 8192,
		"Numbers of a vector to ask for; 0 is the model's own."},
	{"embed.batch", NUMBER, AT(embed_batch), "64", 1, 256, "Texts in one call."},
	{"embed.encoding", ENCODING, AT(embed_encoding), "float", 0, 0, "How vectors are asked for: float or base64."},
	{"embed.limit", NUMBER, AT(embed_limit), "8192", 64, 1048576,
		"Bytes of a text that is embedded; more is cut off."},
	{"embed.timeout", NUMBER, AT(embed_timeout_s), "60", 1, 3600,
		"Seconds that one call may take; for a question 10 at most."},
	{"transcribe.provider", TEXT, AT(transcribe_provider), NULL, 0, 0,
		"What the service is called that transcribes recordings; a well-known one (openai, groq ...) needs no "
		"transcribe.url."},
	{"transcribe.url", URL, AT(transcribe_url), NULL, 0, 0,
		"Base URL of an API with OpenAI's audio/transcriptions, with its /v1; unset: recordings are refused."},
	{"transcribe.key", TEXT, AT(transcribe_key), NULL, 0, 0, "Its API key."},
	{"transcribe.model", TEXT, AT(transcribe_model), NULL, 0, 0, "The model that listens."},
	{"transcribe.limit", NUMBER, AT(transcribe_limit_mib), "25", 1, 256, "MiB that a recording may have."},
	{"transcribe.timeout", NUMBER, AT(transcribe_timeout_s), "300", 1, 3600,
		"Seconds that transcribing one may take."},
	{"rerank.provider", TEXT, AT(rerank_provider), NULL, 0, 0,
		"What the service is called that ranks passages; a well-known one needs no rerank.url."},
	{"rerank.url", URL, AT(rerank_url), NULL, 0, 0,
		"Base URL of an API with Cohere's, Jina's or vLLM's /rerank, with its /v1; unset: none is asked."},
	{"rerank.key", TEXT, AT(rerank_key), NULL, 0, 0, "Its API key."},
	{"rerank.model", TEXT, AT(rerank_model), NULL, 0, 0, "The model that ranks."},
	{"rerank.list", NUMBER, AT(rerank_list), "50", 2, 1000, "Passages that it is given to choose from."},
	{"rerank.timeout", NUMBER, AT(rerank_timeout_s), "5", 1, 60, "Seconds that a question waits for it."},
	{"outbound.allow", TEXT, AT(outbound_allow), NULL, 0, 0,
		"Networks, separated by spaces, that addresses supplied by tenants may lie in although they are not "
		"public."},
	{"outbound.ca", TEXT, AT(outbound_ca), NULL, 0, 0,
		"File with the certificates (PEM) of those who vouch for providers and links; unset: the system's."},
	{"outbound.ports", PORTS, AT(outbound_ports), "80 443", 0, 0,
		"Ports, separated by spaces, that links may have."},
	{"link.timeout", NUMBER, AT(link_timeout_s), "20", 1, 600,
		"Seconds that fetching a link may take, with all redirects."},
	{"link.parallel", NUMBER, AT(link_parallel), "8", 1, 1000,
		"Links that a worker process fetches for one tenant at the same time."},
	{"secret.file", TEXT, AT(secret_file), DEFAULT_SECRET, 0, 0,
		"File with the key that seals tenants' credentials; exedractl makes it."},
	{"extract.program", TEXT, AT(extract_program), EXTRACT_PROGRAM, 0, 0, "The program that reads files."},
	{"extract.timeout", NUMBER, AT(extract_timeout_s), "30", 1, 3600, "Seconds it may take for one."},
	{"extract.memory", NUMBER, AT(extract_memory_mib), "512", 64, 65536, "MiB it may take."},
	{"extract.parallel", NUMBER, AT(extract_parallel), "1", 1, 64,
		"Files a worker process has read at the same time."},
	{"chunk.size", NUMBER, AT(chunk_chars), "1000", 100, 8000, "Characters of a passage at most."},
	{"chunk.overlap", NUMBER, AT(chunk_overlap), "20", 0, 1000,
		"Characters that two neighbouring passages share at most."},
	{"retain.chats", NUMBER, AT(retain_chats), "0", 0, 36500, "Days that chats are kept; 0 is for ever."},
	{"retain.visitors", NUMBER, AT(retain_visitors), "0", 0, 36500,
		"Days that the chats of embeds' visitors are kept; 0 is for ever."},
	{"retain.usage", NUMBER, AT(retain_usage), "0", 0, 36500, "Days that the ledger is kept; 0 is for ever."},
	{"retain.events", NUMBER, AT(retain_events), "0", 0, 36500, "Days that events are kept; 0 is for ever."},
	{"widget.open", SWITCH, AT(widget_open), "off", 0, 0,
		"Whether pages of any origin may use an embed without a list of origins."},
	{"widget.guesses", NUMBER, AT(widget_guesses), "100", 0, 60000,
		"Conversations that an embed does not know, which one address may name in a minute; 0 = any number."},
	{"cors.origins", TEXT, AT(cors_origins), "*", 0, 0,
		"Web origins whose pages may call the API, separated by spaces; * is all."},
};

enum { N_SETTINGS = sizeof(settings) / sizeof(settings[0]) };

static bool is_text(const struct setting *s)
{
	return s->kind == TEXT || s->kind == URL || s->kind == PORTS;
}

static char *text_of(struct config *config, const struct setting *s)
{
	char *text;

	memcpy(&text, (char *)config + s->offset, sizeof(text));
	return text;
}

static int set_text(struct config *config, const struct setting *s, const char *value)
{
	char *copy = value == NULL || *value == '\0' ? NULL : strdup(value);

	if (value != NULL && *value != '\0' && copy == NULL)
		return -1;
	free(text_of(config, s));
	memcpy((char *)config + s->offset, &copy, sizeof(copy));
	return 0;
}

static int set_number(struct config *config, const struct setting *s, const char *value)
{
	char *end;
	long number;
	int small;

	errno = 0;
	number = strtol(value, &end, s->kind == OCTAL ? 8 : 10);
	if (!isdigit((unsigned char)*value) || *end != '\0' || errno != 0 || number < s->least || number > s->most)
		return -1;
	small = (int)number;
	memcpy((char *)config + s->offset, &small, sizeof(small));
	return 0;
}

/* One of a few words: its place among them. */
static int set_word(struct config *config, const struct setting *s, const char *value)
{
	static const char *const levels[] = {"error", "warning", "info", "debug", NULL};
	static const char *const encodings[] = {"float", "base64", NULL};
	const char *const *names = s->kind == LEVEL ? levels : encodings;
	int i;

	for (i = 0; names[i] != NULL; i++)
		if (strcmp(value, names[i]) == 0) {
			memcpy((char *)config + s->offset, &i, sizeof(i));
			return 0;
		}
	return -1;
}

static int set_switch(struct config *config, const struct setting *s, const char *value)
{
	bool on = strcmp(value, "on") == 0;

	if (!on && strcmp(value, "off") != 0)
		return -1;
	memcpy((char *)config + s->offset, &on, sizeof(on));
	return 0;
}

/* An address of http or https, with a host. */
static bool is_url(const char *text)
{
	struct arena *arena = arena_new();
	struct url url;
	bool good = arena != NULL && url_read(arena, text, &url) == 0;

	if (arena != NULL)
		arena_free(arena);
	return good;
}

static int set(struct config *config, const struct setting *s, const char *value)
{
	switch (s->kind) {
	case URL:
		return *value == '\0' || is_url(value) ? set_text(config, s, value) : -1;
	case PORTS:
		return outbound_ports_valid(value) ? set_text(config, s, value) : -1;
	case TEXT:
		return set_text(config, s, value);
	case NUMBER:
	case OCTAL:
		return set_number(config, s, value);
	case SWITCH:
		return set_switch(config, s, value);
	case LEVEL:
	case ENCODING:
		return set_word(config, s, value);
	}
	return -1;
}

static const struct setting *find(const char *name)
{
	int i;

	for (i = 0; i < N_SETTINGS; i++)
		if (strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

/* What a value should have been, for the message. */
static void explain(const struct setting *s, const char *where, char *problem, size_t room)
{
	if (s->kind == NUMBER)
		snprintf(
			problem, room, "%s: %s takes a whole number from %d to %d.", where, s->name, s->least, s->most);
	else if (s->kind == OCTAL)
		snprintf(problem, room, "%s: %s takes octal permissions such as 0660.", where, s->name);
	else if (s->kind == SWITCH)
		snprintf(problem, room, "%s: %s is on or off.", where, s->name);
	else if (s->kind == ENCODING)
		snprintf(problem, room, "%s: %s is float or base64.", where, s->name);
	else if (s->kind == URL)
		snprintf(problem, room, "%s: %s takes a URL such as https://host/v1.", where, s->name);
	else if (s->kind == PORTS)
		snprintf(problem, room, "%s: %s takes ports from 1 to 65535, separated by spaces.", where, s->name);
	else
		snprintf(problem, room, "%s: %s is error, warning, info or debug.", where, s->name);
}

static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

static int read_line(struct config *config, char *line, const char *where, char *problem, size_t room)
{
	const struct setting *s;
	char *equals, *name;

	line = trim(line);
	if (*line == '\0' || *line == '#')
		return 0;
	equals = strchr(line, '=');
	if (equals == NULL) {
		snprintf(problem, room, "%s: a line is `name = value`, or a comment after #.", where);
		return -1;
	}
	*equals = '\0';
	name = trim(line);
	s = find(name);
	if (s == NULL) {
		snprintf(problem, room, "%s: there is no setting %s.", where, name);
		return -1;
	}
	if (set(config, s, trim(equals + 1)) < 0) {
		explain(s, where, problem, room);
		return -1;
	}
	return 0;
}

/* Editors of other systems put a byte order mark before the first line. */
static char *skip_mark(char *line)
{
	return strncmp(line, "\xEF\xBB\xBF", 3) == 0 ? line + 3 : line;
}

static int read_lines(struct config *config, FILE *file, const char *path, char *problem, size_t room)
{
	char line[4096], where[600];
	int no = 0, result = 0;

	while (result == 0 && fgets(line, sizeof(line), file) != NULL) {
		snprintf(where, sizeof(where), "%s:%d", path, ++no);
		if (strchr(line, '\n') == NULL && !feof(file)) {
			if (strlen(line) < sizeof(line) - 1)
				snprintf(problem, room, "%s: the line is no text.", where);
			else
				snprintf(problem, room, "%s: the line is longer than %zu bytes.", where,
					sizeof(line) - 2);
			result = -1;
		} else {
			result = read_line(config, no == 1 ? skip_mark(line) : line, where, problem, room);
		}
	}
	if (result == 0 && ferror(file)) { /* a directory can be opened too */
		snprintf(problem, room, "%s: %s.", path, strerror(errno));
		result = -1;
	}
	return result;
}

/* The file that was named, or the usual one, which need not be there. */
static int read_file(struct config *config, const char *named, char *problem, size_t room)
{
	const char *path = named != NULL ? named : DEFAULT_CONFIG;
	FILE *file = fopen(path, "re");
	int result;

	if (file == NULL && named == NULL && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (file == NULL) {
		snprintf(problem, room, "%s: %s.", path, strerror(errno));
		return -1;
	}
	config->file = path;
	result = read_lines(config, file, path, problem, room);
	fclose(file);
	return result;
}

/* EXEDRA_SET_DB_URL names db.url: upper case, dots as underscores. */
static const struct setting *find_variable(const char *variable, size_t len)
{
	int i;
	size_t at;

	for (i = 0; i < N_SETTINGS; i++) {
		const char *name = settings[i].name;

		for (at = 0; at < len && name[at] != '\0'; at++)
			if (variable[at] != (name[at] == '.' ? '_' : toupper((unsigned char)name[at])))
				break;
		if (at == len && name[at] == '\0')
			return &settings[i];
	}
	return NULL;
}

static int read_environment(struct config *config, char *problem, size_t room)
{
	static const char prefix[] = "EXEDRA_SET_";
	char **entry, where[200];

	for (entry = environ; *entry != NULL; entry++) {
		const char *name = *entry, *equals = strchr(name, '=');
		const struct setting *s;

		if (strncmp(name, prefix, sizeof(prefix) - 1) != 0 || equals == NULL)
			continue;
		snprintf(where, sizeof(where), "environment %.*s", (int)(equals - name), name);
		s = find_variable(name + sizeof(prefix) - 1, (size_t)(equals - name) - (sizeof(prefix) - 1));
		if (s == NULL) {
			snprintf(problem, room, "%s: there is no such setting.", where);
			return -1;
		}
		if (set(config, s, equals + 1) < 0) {
			explain(s, where, problem, room);
			return -1;
		}
	}
	return 0;
}

/* Texts without which nothing can work, and that were emptied. */
static int check_texts(const struct config *config, char *problem, size_t room)
{
	const char *name = config->secret_file == NULL       ? "secret.file"
			   : config->extract_program == NULL ? "extract.program"
							     : NULL;

	if (name == NULL)
		return 0;
	snprintf(problem, room, "%s: there is no path.", name);
	return -1;
}

struct config *config_read(const char *path, char *problem, size_t room)
{
	struct config *config = calloc(1, sizeof(*config));
	int i;

	if (config == NULL) {
		snprintf(problem, room, "Out of memory.");
		return NULL;
	}
	for (i = 0; i < N_SETTINGS; i++)
		if (settings[i].preset != NULL && set(config, &settings[i], settings[i].preset) < 0)
			abort(); /* the table contradicts itself */
	if (read_file(config, path, problem, room) < 0 || read_environment(config, problem, room) < 0 ||
		check_texts(config, problem, room) < 0) {
		config_free(config);
		return NULL;
	}
	if (config->processes == 0) {
		long cores = sysconf(_SC_NPROCESSORS_ONLN);

		config->processes = cores < 1 ? 1 : cores > 256 ? 256 : (int)cores;
	}
	return config;
}

void config_free(struct config *config)
{
	int i;

	if (config == NULL)
		return;
	for (i = 0; i < N_SETTINGS; i++)
		if (is_text(&settings[i]))
			free(text_of(config, &settings[i]));
	free(config);
}

const struct setting_text *config_list(void)
{
	static struct setting_text list[N_SETTINGS + 1];
	int i;

	for (i = 0; i < N_SETTINGS; i++)
		list[i] = (struct setting_text){
			settings[i].name, kind_names[settings[i].kind], settings[i].preset, settings[i].description};
	return list;
}
