/* SPDX-License-Identifier: ISC */
#include "start/setup.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <libpq-fe.h>

#include "base/outbound.h"
#include "base/trust.h"
#include "llm/provider.h"

/* A provider by name needs an address where none is known. */
static int check_provider(const char *noun, const char *name, const char *url, char *problem, size_t room)
{
	const struct provider_preset *preset = name == NULL ? NULL : provider_preset(name);

	if (name == NULL || url != NULL || (preset != NULL && preset->url != NULL))
		return 0;
	if (preset == NULL)
		snprintf(problem, room, "%s.provider: %.200s is no service that is known here; set %s.url.", noun, name,
			noun);
	else
		snprintf(problem, room, "%s.provider: %.200s needs %s.url.", noun, name, noun);
	return -1;
}

/* libpq's own words are not told: they quote pieces, of which one may be a password.  What is neither a list nor a URI
 * is a database's name. */
static int check_database(const char *url, char *problem, size_t room)
{
	PQconninfoOption *options;

	if (url == NULL || (strchr(url, '=') == NULL && strncmp(url, "postgresql://", 13) != 0 &&
				   strncmp(url, "postgres://", 11) != 0))
		return 0;
	options = PQconninfoParse(url, NULL);
	if (options == NULL) {
		snprintf(problem, room,
			"db.url: libpq does not take it, as `keyword=value ...` or postgresql://host/name.");
		return -1;
	}
	PQconninfoFree(options);
	return 0;
}

/* Browsers send scheme://host, with a port where it is not the usual one, and nothing behind it: what is written
 * otherwise lets nobody in. */
static int check_origins(const char *list, char *problem, size_t room)
{
	if (list == NULL || strcmp(list, "*") == 0)
		return 0;
	while (*(list += strspn(list, " ")) != '\0') {
		size_t len = strcspn(list, " "), scheme = strcspn(list, ":");
		bool good = len > scheme + 3 && strncmp(list + scheme, "://", 3) == 0 &&
			    strcspn(list + scheme + 3, "/,* ") == len - scheme - 3;

		if (!good && !(len == 4 && strncmp(list, "null", len) == 0)) {
			snprintf(problem, room,
				"cors.origins: %.*s is no origin such as https://chat.example, without a path, and "
				"separated by spaces.",
				(int)(len < 200 ? len : 200), list);
			return -1;
		}
		list += len;
	}
	return 0;
}

int setup_check(const struct config *config, char *problem, size_t room)
{
	if (check_database(config->db_url, problem, room) < 0 || check_origins(config->cors_origins, problem, room) < 0)
		return -1;
	if (config->outbound_allow != NULL && !outbound_list_valid(config->outbound_allow)) {
		snprintf(problem, room,
			"outbound.allow: %.200s is no list of addresses and networks such as 10.1.0.0/16 fd00::/8.",
			config->outbound_allow);
		return -1;
	}
	if (config->outbound_ca != NULL && trust_check(config->outbound_ca, problem, room) < 0)
		return -1;
	if (check_provider("llm", config->llm_provider, config->llm_url, problem, room) < 0)
		return -1;
	if (check_provider("embed", config->embed_provider, config->embed_url, problem, room) < 0 ||
		check_provider("transcribe", config->transcribe_provider, config->transcribe_url, problem, room) < 0)
		return -1;
	return check_provider("rerank", config->rerank_provider, config->rerank_url, problem, room);
}
