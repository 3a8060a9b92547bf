/* SPDX-License-Identifier: ISC */
#include "core/offer.h"

#include <string.h>

#include "base/log.h"
#include "store/db.h"
#include "store/secret.h"

static struct own_service own(bool there, const struct service_setup *setup)
{
	if (!there)
		return (struct own_service){0};
	return (struct own_service){*setup, setup->provider, setup->model};
}

struct own_service offer_own_transcription(const struct config *config)
{
	struct service_setup setup;
	bool there = service_of_transcription(config, &setup);

	return own(there, &setup);
}

struct own_service offer_own_ranking(const struct config *config)
{
	struct service_setup setup;
	bool there = service_of_ranking(config, &setup);

	return own(there, &setup);
}

int offer_unseal(struct task *task, const char *provider, const char *url, const char *sealed, const char **key)
{
	*key = NULL;
	if (sealed == NULL)
		return 0;
	*key = secret_unseal(task->arena, sealed,
		arena_printf(task->arena, "%lld %s %s", (long long)task->identity.tenant_id, provider, url));
	if (*key != NULL)
		return 0;
	log_event(LOG_ERROR, task, "secret",
		"provider=%s problem=\"its key cannot be unsealed; is secret.file the one it was sealed with?\"",
		provider);
	return -1;
}

int offer_read(struct task *task, PGresult *rows, const struct own_service *own, struct service_setup *setup)
{
	const char *provider = PQntuples(rows) == 0 ? NULL : db_text(rows, 0, "provider");

	if (provider == NULL)
		return 0;
	if (!db_true(rows, 0, "known"))
		return fail(task, 502, "service_missing", "The provider %s is not configured.", provider);
	*setup = (struct service_setup){.provider = provider,
		.model = db_text(rows, 0, "model"),
		.url = db_text(rows, 0, "url"),
		.guarded = true};
	if (setup->url == NULL) {
		setup->url = own->setup.url;
		setup->key = own->setup.key;
		setup->guarded = false;
		return 1;
	}
	if (offer_unseal(task, provider, setup->url, db_text(rows, 0, "sealed_key"), &setup->key) < 0)
		return fail(task, 502, "service_sealed", "The key of the provider %s cannot be read.", provider);
	return 1;
}
