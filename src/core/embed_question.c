/* SPDX-License-Identifier: ISC
 * The vector of a question, for which somebody waits: whatever the embedder does, the answer must come. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/embed.h"
#include "core/embedder.h"
#include "core/shun.h"
#include "store/db.h"

static int ask_question(struct embed_call *call, const struct embedder *embedder)
{
	struct task *task = call->task;

	if (shun_is(call->setup->url, call->setup->model))
		return fail(task, 504, "embed_shunned", "The embedder did not answer in time a moment ago.");
	if (embed_texts(call) < 0) {
		if (strcmp(task->failure.code, "embed_timeout") == 0)
			shun_add(call->setup->url, call->setup->model);
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

/* Has it been asked already? */
static const struct vector *find_asked(const struct embed_asked *asked, int64_t embedder_id)
{
	int i;

	for (i = 0; asked != NULL && i < asked->n; i++)
		if (asked->at[i].embedder_id == embedder_id)
			return &asked->at[i];
	return NULL;
}

static void keep(struct embed_asked *asked, const struct vector *vector)
{
	if (asked != NULL && asked->n < EMBED_ASKED)
		asked->at[asked->n++] = *vector;
}

/* Which embedder serves.  1; 0 when there is none; -1 with the reason in the task. */
static int find_embedder(struct task *task, const struct config *config, const struct embed_question *question,
	struct embedder *embedder)
{
	struct own_embedder own = embedder_own(task->arena, config);
	const char *args[] = {question->workspaces, question->files, own.provider, own.model, own.dimensions};
	struct db_call calls[2] = {{.stmt = &sql_embedder_serve, .args = args, .n_args = 5}};
	int found;

	if (question->along != NULL)
		calls[1] = *question->along;
	if (db_run(task, calls, question->along == NULL ? 1 : 2) < 0)
		return -1;
	if (question->along != NULL)
		question->along->rows = calls[1].rows;
	found = embedder_read(task, calls[0].rows, &own, embedder);
	if (found < 0)
		return without_vector(task, embedder);
	return found > 0 && embedder->id != NULL && embedder->dimension > 0;
}

int embed_question(
	struct task *task, const struct config *config, const struct embed_question *question, struct vector *out)
{
	struct embedder embedder = {.setup.provider = "?"};
	const char *text = question->text;
	struct embed_call call = {.task = task,
		.config = config,
		.setup = &embedder.setup,
		.texts = &text,
		.n_texts = 1,
		.question = true,
		.arena = task->arena};
	const struct vector *before;
	int found;

	*out = (struct vector){0};
	if (text[strspn(text, " \t\r\n")] == '\0')
		return 0;
	found = find_embedder(task, config, question, &embedder);
	if (found <= 0)
		return found;
	out->embedder_id = strtoll(embedder.id, NULL, 10);
	before = find_asked(question->asked, out->embedder_id);
	if (before != NULL) {
		*out = *before;
		return 0;
	}
	text = embed_cut(task->arena, text, (size_t)config->embed_limit);
	if (ask_question(&call, &embedder) < 0) {
		without_vector(task, &embedder);
	} else {
		out->n = call.dimension;
		out->at = call.vectors;
	}
	keep(question->asked, out);
	return 0;
}
