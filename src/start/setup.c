/* SPDX-License-Identifier: ISC */
#include "start/setup.h"

#include <stdio.h>
#include <string.h>

#include "base/outbound.h"
#include "llm/provider.h"

int setup_check(const struct config *config, char *problem, size_t room)
{
	if (config->outbound_allow != NULL && !outbound_list_valid(config->outbound_allow)) {
		snprintf(problem, room,
			"outbound.allow: %.200s is no list of addresses and networks such as 10.1.0.0/16 fd00::/8.",
			config->outbound_allow);
		return -1;
	}
	if (config->llm_provider != NULL && config->llm_url == NULL && provider_preset(config->llm_provider) == NULL) {
		snprintf(problem, room, "llm.provider: %.200s is no service that is known here; set llm.url.",
			config->llm_provider);
		return -1;
	}
	if (config->llm_provider != NULL && config->llm_url == NULL &&
		provider_preset(config->llm_provider)->url == NULL) {
		snprintf(problem, room, "llm.provider: %.200s needs llm.url.", config->llm_provider);
		return -1;
	}
	return 0;
}
