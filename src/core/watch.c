/* SPDX-License-Identifier: ISC */
#include "core/watch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/http.h"
#include "base/log.h"
#include "store/db.h"

/* An open chat; lies in the memory of its own task. */
struct open_chat {
	struct chat *chat;
	struct open_chat *next, *previous;
	char *text; /* a copy of its answer that is to be stored, or NULL */
	size_t len;
};

enum {
	SWEEP_SLACK_S = 600, /* beyond the longest that a model may take */
	KEEP_MOST = 32,      /* answers in one transaction: who closes one waits for it */
	KEEP_BYTES = 1 << 20,
	PATIENCE_MS = 5000,
	ALONE_PATIENCE_MS = 500, /* where a client waits meanwhile */
};

static struct {
	pthread_mutex_t lock;
	struct open_chat *first;
	int n;
	bool alone;
} watched = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void enlist(struct open_chat *entry)
{
	pthread_mutex_lock(&watched.lock);
	entry->next = watched.first;
	if (entry->next != NULL)
		entry->next->previous = entry;
	watched.first = entry;
	watched.n++;
	pthread_mutex_unlock(&watched.lock);
}

static void strike_off(void *thing)
{
	struct open_chat *entry = thing;

	pthread_mutex_lock(&watched.lock);
	if (entry->next != NULL)
		entry->next->previous = entry->previous;
	if (entry->previous != NULL)
		entry->previous->next = entry->next;
	else
		watched.first = entry->next;
	watched.n--;
	entry->chat->watched = NULL;
	entry->chat = NULL;
	pthread_mutex_unlock(&watched.lock);
	free(entry->text);
}

/* With the arena: when memory runs out in the middle, the list must not keep what is no more. */
static void strike_off_once(void *thing)
{
	if (((struct open_chat *)thing)->chat != NULL)
		strike_off(thing);
}

int watch_during(struct chat *chat, int (*complete)(struct llm_call *), struct llm_call *call)
{
	struct open_chat *entry = arena_get(chat->task->arena, sizeof(*entry));
	int result;

	entry->chat = chat;
	chat->watched = entry;
	arena_later(chat->task->arena, strike_off_once, entry);
	enlist(entry);
	result = complete(call);
	strike_off(entry);
	return result;
}

void watch_keep(struct chat *chat)
{
	struct open_chat *entry = chat->watched;
	size_t len = chat->answer->len;
	char *copy = entry == NULL ? NULL : malloc(len + 1), *old;

	if (copy == NULL)
		return; /* the next one may have more luck */
	memcpy(copy, chat->answer->at, len);
	pthread_mutex_lock(&watched.lock);
	old = entry->text;
	entry->text = copy;
	entry->len = len;
	pthread_mutex_unlock(&watched.lock);
	free(old);
	if (watched.alone)
		watch_tick();
}

void watch_alone(void)
{
	watched.alone = true;
}

static struct task upkeep(void)
{
	return task_upkeep(watched.alone ? ALONE_PATIENCE_MS : PATIENCE_MS);
}

/* An answer so far that is to be stored. */
struct partial {
	int64_t tenant_id, chat_id;
	char ticket[40], *text;
	size_t len;
};

struct partials {
	struct task *task;
	struct partial list[KEEP_MOST];
	int n;
	size_t bytes;
};

/* Take the copies from the list, as many as one statement should hold. */
static void take_partials(struct partials *taken)
{
	struct open_chat *entry;

	taken->n = 0;
	taken->bytes = 0;
	pthread_mutex_lock(&watched.lock);
	for (entry = watched.first; entry != NULL && taken->bytes < KEEP_BYTES && taken->n < KEEP_MOST;
		entry = entry->next) {
		struct partial *partial = &taken->list[taken->n];

		if (entry->text == NULL)
			continue;
		partial->tenant_id = entry->chat->task->identity.tenant_id;
		partial->chat_id = entry->chat->id;
		snprintf(partial->ticket, sizeof(partial->ticket), "%s", entry->chat->task->identity.ticket);
		partial->text = entry->text;
		partial->len = entry->len;
		taken->bytes += entry->len;
		taken->n++;
		entry->text = NULL;
	}
	pthread_mutex_unlock(&watched.lock);
}

static int store_partials(void *arg)
{
	struct partials *partials = arg;
	struct task *task = partials->task;
	struct str *tenants = str_new(task->arena), *ids = str_new(task->arena), *tickets = str_new(task->arena),
		   *texts = db_pack(task->arena, DB_TEXT);
	struct db_call call = {.stmt = &sql_chat_keep, .n_args = 4};
	int i;

	for (i = 0; i < partials->n; i++) {
		const struct partial *partial = &partials->list[i];

		str_printf(tenants, "%c%lld", i == 0 ? '{' : ',', (long long)partial->tenant_id);
		str_printf(ids, "%c%lld", i == 0 ? '{' : ',', (long long)partial->chat_id);
		str_printf(tickets, "%c%s", i == 0 ? '{' : ',', partial->ticket);
		db_pack_item(texts, partial->text, partial->len);
	}
	str_putc(tenants, '}');
	str_putc(ids, '}');
	str_putc(tickets, '}');
	call.args = (const char *const[]){tenants->at, ids->at, tickets->at, texts->at};
	call.lengths = (const int[]){0, 0, 0, (int)texts->len};
	return db_run(task, &call, 1);
}

/* What cannot be stored now comes again, and longer. */
static void keep_partials(struct task *task)
{
	struct partials taken = {.task = task};
	bool more;
	int i;

	do {
		take_partials(&taken);
		more = taken.n > 0 && task_attempt(task, store_partials, &taken) == 0;
		for (i = 0; i < taken.n; i++)
			free(taken.list[i].text);
		arena_empty(task->arena);
	} while (more);
	fail_clear(task);
}

/* What the database is asked about, in step. */
struct roll {
	int n;
	int64_t *chats;
	struct str *tenants, *ids, *hashes;
};

static void put_item(struct str *list, const char *item)
{
	str_printf(list, "%s%s", list->len == 1 ? "" : ",", item);
}

static void put_hash(struct str *list, const unsigned char hash[32])
{
	char text[65];

	put_item(list, sodium_bin2hex(text, sizeof(text), hash, 32));
}

static struct roll call_roll(struct task *task)
{
	struct roll roll = {
		.tenants = str_new(task->arena), .ids = str_new(task->arena), .hashes = str_new(task->arena)};
	struct open_chat *entry;

	str_putc(roll.tenants, '{');
	str_putc(roll.ids, '{');
	str_putc(roll.hashes, '{');
	pthread_mutex_lock(&watched.lock);
	roll.chats = malloc((size_t)(watched.n + 1) * sizeof(*roll.chats));
	for (entry = watched.first; entry != NULL && roll.chats != NULL; entry = entry->next) {
		const struct identity *who = &entry->chat->task->identity;

		roll.chats[roll.n++] = entry->chat->id;
		put_item(roll.tenants, db_int_arg(task->arena, who->tenant_id));
		put_item(roll.ids, who->chat_id);
		if (who->embed != NULL)
			put_item(roll.hashes, "\"\""); /* a visitor has no key */
		else
			put_hash(roll.hashes, who->key_hash);
	}
	pthread_mutex_unlock(&watched.lock);
	str_putc(roll.tenants, '}');
	str_putc(roll.ids, '}');
	str_putc(roll.hashes, '}');
	return roll;
}

static void stop_chat(int64_t id, enum stop why)
{
	struct open_chat *entry;

	pthread_mutex_lock(&watched.lock);
	for (entry = watched.first; entry != NULL; entry = entry->next)
		if (entry->chat->id == id)
			http_stop_task(entry->chat->task, why);
	pthread_mutex_unlock(&watched.lock);
}

static bool nobody(void)
{
	bool empty;

	pthread_mutex_lock(&watched.lock);
	empty = watched.first == NULL;
	pthread_mutex_unlock(&watched.lock);
	return empty;
}

void watch_tick(void)
{
	struct task task;
	struct roll roll;
	PGresult *rows;
	int i;

	if (nobody())
		return;
	task = upkeep();
	if (task.arena == NULL)
		return;
	keep_partials(&task);
	roll = call_roll(&task);
	rows = db_rows(&task, &sql_chat_stopped, ARGS(roll.tenants->at, roll.ids->at, roll.hashes->at));
	for (i = 0; rows != NULL && i < PQntuples(rows); i++) {
		int place = (int)db_int(rows, i, "place");

		if (place >= 1 && place <= roll.n)
			stop_chat(roll.chats[place - 1], db_true(rows, i, "gone") ? STOP_GONE : STOP_REVOKED);
	}
	free(roll.chats);
	arena_free(task.arena);
}

void watch_stop_all(void)
{
	struct open_chat *entry;

	pthread_mutex_lock(&watched.lock);
	for (entry = watched.first; entry != NULL; entry = entry->next)
		http_stop_task(entry->chat->task, STOP_ENDING);
	pthread_mutex_unlock(&watched.lock);
}

int watch_bury(const char *worker, const char *node, const char *pool)
{
	struct task task = upkeep();
	PGresult *rows;

	if (task.arena == NULL)
		return -1;
	rows = db_rows(&task, &sql_chat_fail_worker, ARGS(worker, node, pool));
	if (rows != NULL && db_int(rows, 0, "n") > 0)
		log_event(LOG_WARNING, NULL, "chats_ended", "n=%lld problem=\"their worker is gone\"",
			(long long)db_int(rows, 0, "n"));
	arena_free(task.arena);
	return rows == NULL ? -1 : 0;
}

void watch_sweep(const struct config *config)
{
	struct task task = task_upkeep(0);

	if (task.arena == NULL)
		return;
	db_rows(&task, &sql_chat_sweep, ARGS(db_int_arg(task.arena, config->llm_total_timeout_s + SWEEP_SLACK_S)));
	arena_free(task.arena);
}
