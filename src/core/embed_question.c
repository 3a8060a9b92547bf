/* SPDX-License-Identifier: ISC
 * The vector of a question, for which somebody waits: whatever the embedder does, the answer must come. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/embed.h"
#include "core/embedder.h"
#include "store/db.h"
#include "store/secret.h"

enum {
	SHUNNED = 32,
	SHUN_S = 30, /* that an embedder is not asked after a question in vain */
};

/* An embedder that has let a question wait in vain would do so with every other: for a while it is not asked.  By the
 * hash of its model and address. */
static struct {
	pthread_mutex_t lock;
	struct {
		unsigned char name[32];
		int64_t until_ms;
	} places[SHUNNED];
} shunned = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void name_of(struct arena *arena, const struct embed_setup *setup, unsigned char name[32])
{
	const char *text = arena_printf(arena, "%s %s", setup->model, setup->url);

	secret_sha256(text, strlen(text), name);
}

static bool is_shunned(const unsigned char name[32])
{
	int64_t now = clock_ms();
	bool found = false;
	int i;

	pthread_mutex_lock(&shunned.lock);
	for (i = 0; i < SHUNNED; i++)
		found = found || (shunned.places[i].until_ms > now && memcmp(shunned.places[i].name, name, 32) == 0);
	pthread_mutex_unlock(&shunned.lock);
	return found;
}

static void shun(const unsigned char name[32])
{
	int oldest = 0, i;

	pthread_mutex_lock(&shunned.lock);
	for (i = 1; i < SHUNNED; i++)
		if (shunned.places[i].until_ms < shunned.places[oldest].until_ms)
			oldest = i;
	memcpy(shunned.places[oldest].name, name, 32);
	shunned.places[oldest].until_ms = clock_ms() + SHUN_S * 1000;
	pthread_mutex_unlock(&shunned.lock);
}

static int ask_question(struct embed_call *call, const struct embedder *embedder)
{
	struct task *task = call->task;
	unsigned char name[32];

	name_of(task->arena, call->setup, name);
	if (is_shunned(name))
		return fail(task, 504, "embed_shunned", "The embedder did not answer in time a moment ago.");
	if (embed_texts(call) < 0) {
		if (strcmp(task->failure.code, "embed_timeout") == 0)
			shun(name);
		return -1;
	}
	if (call->dimension != embedder->dimension)
		return fail(task, 502, "embed_dimension", "The embedder sent vectors of another dimension.");
	return 0;
}

/* An embedder that fails must not keep anybody from an answer. */
static int without_vector(struct task *task, const struct embedder *embedder)
{
	log_event(
		LOG_WARNING, task, "embed_failed", "provider=%s code=%s", embedder->setup.provider, task->failure.code);
	fail_clear(task);
	return 0;
}

int embed_question(
	struct task *task, const struct config *config, int64_t workspace_id, const char *text, struct vector *out)
{
	struct arena *arena = task->arena;
	struct own_embedder own = embedder_own(arena, config);
	struct embedder embedder = {.setup.provider = "?"};
	struct embed_call call = {.task = task,
		.config = config,
		.setup = &embedder.setup,
		.texts = &text,
		.n_texts = 1,
		.question = true,
		.arena = arena};
	PGresult *rows;
	int found;

	*out = (struct vector){0};
	if (text[strspn(text, " \t\r\n")] == '\0')
		return 0;
	rows = db_rows(task, &sql_embedder_serve,
		ARGS(db_int_arg(arena, workspace_id), own.provider, own.model, own.dimensions));
	if (rows == NULL)
		return -1;
	found = embedder_read(task, rows, &own, &embedder);
	if (found < 0)
		return without_vector(task, &embedder);
	if (found == 0 || embedder.id == NULL || embedder.dimension == 0)
		return 0;
	text = embed_cut(arena, text, (size_t)config->embed_limit);
	if (ask_question(&call, &embedder) < 0)
		return without_vector(task, &embedder);
	*out = (struct vector){strtoll(embedder.id, NULL, 10), call.dimension, call.vectors};
	return 0;
}
