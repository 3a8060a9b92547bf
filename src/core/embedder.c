/* SPDX-License-Identifier: ISC */
#include "core/embedder.h"

#include <string.h>

#include "core/offer.h"
#include "store/db.h"

struct own_embedder embedder_own(struct arena *arena, const struct config *config)
{
	struct own_embedder own = {0};

	if (!embed_of_server(config, &own.setup))
		return own;
	own.provider = own.setup.provider;
	own.model = own.setup.model;
	own.dimensions = db_int_arg(arena, own.setup.dimensions);
	return own;
}

/* A tenant's own provider: its address is not the operator's, its key is sealed. */
static int reach_own(struct task *task, PGresult *rows, struct embed_setup *setup)
{
	const char *kind = db_text(rows, 0, "kind");

	setup->ollama = kind != NULL && strcmp(kind, "ollama") == 0;
	setup->url = db_text(rows, 0, "url");
	setup->guarded = true;
	if (offer_unseal(task, setup->provider, setup->url, db_text(rows, 0, "sealed_key"), &setup->key) == 0)
		return 0;
	return fail(task, 502, "embed_sealed", "The key of the provider %s cannot be read.", setup->provider);
}

/* A row of an exedra.embedder_setup.  1; 0 when there is none; -1 with the reason in the task. */
int embedder_read(struct task *task, PGresult *rows, const struct own_embedder *own, struct embedder *embedder)
{
	const char *provider = db_text(rows, 0, "provider");
	struct embed_setup setup = {.provider = provider, .model = db_text(rows, 0, "model")};

	if (provider == NULL)
		return 0;
	if (!db_true(rows, 0, "known"))
		return fail(task, 502, "embed_missing", "The embedder's provider %s is not configured.", provider);
	setup.dimensions = (int)db_int(rows, 0, "asked");
	if (db_text(rows, 0, "url") != NULL) {
		if (reach_own(task, rows, &setup) < 0)
			return -1;
	} else {
		setup.ollama = own->setup.ollama;
		setup.url = own->setup.url;
		setup.key = own->setup.key;
	}
	embedder->id = db_text(rows, 0, "embedder_id");
	embedder->dimension = (int)db_int(rows, 0, "dimension");
	embedder->setup = setup;
	return 1;
}

int embedder_choose(struct task *task, const struct config *config, const char *slug, struct embed_setup *setup)
{
	struct own_embedder own = embedder_own(task->arena, config);
	struct embedder embedder;
	PGresult *rows = db_rows(task, &sql_embedder_choose, ARGS(slug, own.provider, own.model, own.dimensions));
	int found = rows == NULL ? -1 : embedder_read(task, rows, &own, &embedder);

	if (found == 0)
		return fail(
			task, 501, "embed_none", "There is no embedder here: embed.url or embed.provider is not set.");
	if (found > 0)
		*setup = embedder.setup;
	return found < 0 ? -1 : 0;
}
