/* SPDX-License-Identifier: ISC */
#include "core/rerank.h"

#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/json.h"
#include "base/log.h"
#include "core/shun.h"
#include "llm/lenient.h"
#include "store/db.h"

enum { MAX_ANSWER = 4 << 20 };

struct ranking {
	struct task *task;
	const struct config *config;
	const struct service_setup *setup;
	struct arena *arena;
	const char *question;
	struct passage *passages;
	int n, most;
	size_t bytes; /* that the service reads */
};

struct place {
	int index;
	double score;
};

/* ---- the request ---- */

static struct str *write_body(struct ranking *ranking)
{
	struct str *body = str_new(ranking->arena);
	int i;

	str_puts(body, "{\"model\":");
	str_json_text(body, ranking->setup->model);
	str_puts(body, ",\"query\":");
	str_json_text(body, ranking->question);
	str_printf(body, ",\"top_n\":%d,\"documents\":[", ranking->most);
	for (i = 0; i < ranking->n; i++) {
		const struct passage *passage = &ranking->passages[i];
		/* As embedders are given them: the title says what a passage is about that begins in the middle. */
		const char *text = arena_printf(ranking->arena, "%s\n\n%s", passage->title, passage->text);

		str_puts(body, i == 0 ? "" : ",");
		str_json_text(body, text);
		ranking->bytes += strlen(text) + strlen(ranking->question);
	}
	str_puts(body, "]}");
	return body;
}

/* ---- the answer ---- */

static int invalid(struct task *task)
{
	return fail(task, 502, "service_invalid", "The service sent something that is no answer.");
}

static int read_place(struct ranking *ranking, struct task *reading, struct json_object *result, struct place *place)
{
	double index = -1, score = 0;

	if (!json_object_is_type(result, json_type_object) || field_number(reading, result, "index", &index) < 0 ||
		field_number(reading, result, "relevance_score", &score) < 0 ||
		field_get(result, "relevance_score") == NULL)
		return -1;
	if (index < 0 || index >= ranking->n || index != (int)index)
		return -1;
	*place = (struct place){(int)index, score};
	return 0;
}

/* The best places, of which none may be named twice; how many. */
static int read_places(struct ranking *ranking, struct task *reading, struct json_object *answer, struct place *places)
{
	struct json_object *results = NULL;
	bool *taken = arena_get(ranking->arena, (size_t)ranking->n * sizeof(*taken));
	int n, i;

	if (!json_object_is_type(answer, json_type_object) || field_array(reading, answer, "results", &results) < 0 ||
		results == NULL)
		return -1;
	n = (int)json_object_array_length(results);
	if (n == 0 || n > ranking->n)
		return -1;
	for (i = 0; i < n; i++) {
		if (read_place(ranking, reading, json_object_array_get_idx(results, (size_t)i), &places[i]) < 0 ||
			taken[places[i].index])
			return -1;
		taken[places[i].index] = true;
	}
	return n;
}

static int64_t count_tokens(struct task *reading, struct json_object *answer)
{
	struct json_object *usage = field_get(answer, "usage");
	double tokens = -1;

	if (json_object_is_type(usage, json_type_object) && field_number(reading, usage, "total_tokens", &tokens) < 0)
		fail_clear(reading);
	return tokens >= 0 && tokens <= INT32_MAX ? (int64_t)tokens : -1;
}

static void charge(struct ranking *ranking, int64_t counted)
{
	struct task *task = ranking->task;
	int64_t tokens = counted < 0 ? llm_tokens(ranking->bytes) : counted;

	if (db_rows(task, &sql_service_charge,
		    ARGS(ranking->setup->provider, ranking->setup->model, db_int_arg(task->arena, tokens), "0",
			    db_bool_arg(counted < 0))) == NULL)
		fail_clear(task);
}

/* ---- the new order ---- */

static int by_score(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->index - y->index;
}

/* What the service has not named keeps its order, behind the rest. */
static void arrange(struct ranking *ranking, struct place *places, int n_places)
{
	struct passage *before = arena_get(ranking->arena, (size_t)ranking->n * sizeof(*before));
	bool *taken = arena_get(ranking->arena, (size_t)ranking->n * sizeof(*taken)), scores = true;
	int n = 0, i;

	memcpy(before, ranking->passages, (size_t)ranking->n * sizeof(*before));
	qsort(places, (size_t)n_places, sizeof(*places), by_score);
	for (i = 0; i < n_places; i++)
		scores = scores && places[i].score >= 0 && places[i].score <= 1;
	for (i = 0; i < n_places; i++) {
		ranking->passages[n] = before[places[i].index];
		if (scores)
			ranking->passages[n].score = places[i].score;
		taken[places[i].index] = true;
		n++;
	}
	for (i = 0; i < ranking->n; i++)
		if (!taken[i])
			ranking->passages[n++] = before[i];
}

static int ask(struct ranking *ranking)
{
	struct task reading = {.arena = ranking->arena, .id = ranking->task->id, .gone_fd = -1};
	const struct str *body = write_body(ranking);
	struct place *places = arena_get(ranking->arena, (size_t)ranking->n * sizeof(*places));
	struct str *clean = str_new(ranking->arena);
	struct service_call call = {.task = ranking->task,
		.config = ranking->config,
		.setup = ranking->setup,
		.path = "/rerank",
		.type = "application/json",
		.body = body->at,
		.body_len = body->len,
		.timeout_s = ranking->config->rerank_timeout_s,
		.most = MAX_ANSWER,
		.arena = ranking->arena};
	struct json_object *answer;
	int n;

	if (service_ask(&call) < 0)
		return -1;
	lenient_clean(clean, call.answer->at, call.answer->len);
	answer = json_read(&reading, clean->at, clean->len);
	n = read_places(ranking, &reading, answer, places);
	if (n < 0)
		return invalid(ranking->task);
	charge(ranking, count_tokens(&reading, answer));
	arrange(ranking, places, n);
	return 0;
}

void rerank(struct task *task, const struct config *config, const struct service_setup *setup, const char *question,
	struct passage *passages, int n, int most)
{
	struct ranking ranking = {.task = task,
		.config = config,
		.setup = setup,
		.arena = arena_within(task->arena),
		.question = question,
		.passages = passages,
		.n = n,
		.most = most < n ? most : n};
	int result = -1;

	if (n < 2)
		return;
	if (shun_is(setup->url, setup->model))
		fail(task, 504, "service_shunned", "The service did not answer in time a moment ago.");
	else
		result = ask(&ranking);
	if (result < 0) {
		if (strcmp(task->failure.code, "service_timeout") == 0)
			shun_add(setup->url, setup->model);
		log_event(
			LOG_WARNING, task, "rerank_failed", "provider=%s code=%s", setup->provider, task->failure.code);
		fail_clear(task);
	}
	arena_empty(ranking.arena);
}
