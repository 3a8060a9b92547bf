/* SPDX-License-Identifier: ISC */
#include "llm/provider.h"

const struct provider *provider_default(const struct config *config)
{
	return config->llm_url == NULL ? &provider_quote : &provider_openai;
}
