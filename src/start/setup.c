/* SPDX-License-Identifier: ISC */
#include "start/setup.h"

#include <stdio.h>
#include <string.h>

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

int setup_check(const struct config *config, char *problem, size_t room)
{
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
	return check_provider("embed", config->embed_provider, config->embed_url, problem, room);
}
