/* SPDX-License-Identifier: ISC */
#include "llm/provider.h"

#include <string.h>
#include <strings.h>

/* Base URLs as the services document them. */
static const struct provider_preset presets[] = {
	{"openai", "https://api.openai.com/v1"},
	{"deepseek", "https://api.deepseek.com/v1"},
	{"fireworksai", "https://api.fireworks.ai/inference/v1"},
	{"gemini", "https://generativelanguage.googleapis.com/v1beta/openai"},
	{"generic-openai", NULL},
	{"groq", "https://api.groq.com/openai/v1"},
	{"lmstudio", "http://127.0.0.1:1234/v1"},
	{"localai", "http://127.0.0.1:8080/v1"},
	{"mistral", "https://api.mistral.ai/v1"},
	{"ollama", "http://127.0.0.1:11434/v1"},
	{"openrouter", "https://openrouter.ai/api/v1"},
	{"perplexity", "https://api.perplexity.ai"},
	{"togetherai", "https://api.together.xyz/v1"},
	{"vllm", "http://127.0.0.1:8000/v1"},
	{"xai", "https://api.x.ai/v1"},
};

const struct provider_preset *provider_preset(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(presets) / sizeof(presets[0]); i++)
		if (strcasecmp(presets[i].name, name) == 0)
			return &presets[i];
	return NULL;
}

struct provider_setup provider_of_server(const struct config *config)
{
	const struct provider_preset *preset =
		config->llm_provider == NULL ? NULL : provider_preset(config->llm_provider);
	const char *url = config->llm_url != NULL ? config->llm_url : preset != NULL ? preset->url : NULL;

	if (url == NULL)
		return (struct provider_setup){.provider = &provider_quote,
			.name = "quote",
			.model = "quote",
			.context_tokens = config->llm_context_tokens};
	return (struct provider_setup){.provider = &provider_openai,
		.name = config->llm_provider == NULL ? "generic-openai" : config->llm_provider,
		.url = url,
		.key = config->llm_key,
		.model = config->llm_model,
		.context_tokens = config->llm_context_tokens};
}

int64_t llm_tokens(size_t bytes)
{
	return (int64_t)((bytes + 3) / 4);
}
