/* SPDX-License-Identifier: ISC */
#include "core/opening.h"

#include <string.h>

#include "base/log.h"
#include "core/limit.h"
#include "core/settle.h"
#include "core/worker_id.h"
#include "store/db.h"
#include "store/secret.h"

static int workspace_unknown(struct task *task, const char *slug)
{
	return fail(task, 400, "workspace_unknown", "Workspace %s is not a valid workspace.", slug);
}

static int thread_unknown(struct task *task, const char *slug)
{
	return fail(task, 404, "thread_unknown", "Thread %s not found.", slug);
}

int opening_find(struct task *task, const char *slug, const char *thread)
{
	PGresult *rows = db_rows(task, &sql_workspace_find, ARGS(slug, thread));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return workspace_unknown(task, slug);
	return db_true(rows, 0, "thread_found") ? 0 : thread_unknown(task, thread);
}

int opening_reset(const struct chat *chat)
{
	PGresult *rows =
		db_rows(chat->task, &sql_chat_reset, ARGS(chat->slug, chat->session, chat->thread, chat->act_as));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 0)
		return workspace_unknown(chat->task, chat->slug);
	return db_true(rows, 0, "thread_found") ? 0 : thread_unknown(chat->task, chat->thread);
}

/* A column that is needed for as long as the chat lasts. */
static const char *keep(const struct chat *chat, PGresult *rows, const char *column)
{
	return arena_strdup(chat->task->arena, db_text(rows, 0, column));
}

static void read_history(struct chat *chat, PGresult *rows)
{
	const char *const *texts;
	int n = db_items(chat->scratch, rows, 0, "history", &texts) / 3, i;
	struct exchange *earlier = arena_get(chat->scratch, (size_t)(n + 1) * sizeof(*earlier));

	for (i = 0; i < n; i++)
		earlier[i] = (struct exchange){texts[3 * i], texts[3 * i + 1], texts[3 * i + 2]};
	chat->earlier = earlier;
	chat->n_earlier = n;
}

static void read_opened(struct chat *chat, PGresult *rows)
{
	chat->workspace_id = db_int(rows, 0, "workspace_id");
	chat->workspace_name = keep(chat, rows, "name");
	chat->prompt = db_text(rows, 0, "prompt");
	chat->refusal = keep(chat, rows, "refusal");
	read_history(chat, rows);
	chat->account_name = db_text(rows, 0, "username");
	chat->account_bio = db_text(rows, 0, "bio");
	chat->workspace_temperature = db_number(rows, 0, "temperature");
	if (chat->temperature == NULL && db_text(rows, 0, "temperature") != NULL)
		chat->temperature = &chat->workspace_temperature;
	chat->top_n = (int)db_int(rows, 0, "top_n");
	chat->threshold = db_number(rows, 0, "similarity_threshold");
	chat->has_passages = db_true(rows, 0, "has_passages");
	chat->has_pinned = db_true(rows, 0, "has_pinned");
	chat->mode = keep(chat, rows, "mode");
	chat->model = chat->model_asked != NULL ? chat->model_asked : keep(chat, rows, "chat_model");
}

/* From here on the ticket stands for the key.  Memory may run out at once: all of it holds, or nothing. */
static void take_ticket(struct chat *chat, PGresult *rows, const char *ticket)
{
	struct identity *who = &chat->task->identity;
	int64_t id = db_int(rows, 0, "chat_id");

	who->chat_id = db_int_arg(chat->task->arena, id);
	who->account_id = db_int(rows, 0, "account_id");
	who->entry = ENTER_BY_TICKET;
	who->ticket = ticket;
	chat->id = id;
}

/* What opening found, or did not. */
enum opening { OPENED = 0, UNOPENED = -1, MUST_HOLD = 1 };

/* A question that goes straight to the server's model. */
static enum opening open_free(struct chat *chat, const char *ticket)
{
	PGresult *rows = db_rows(chat->task, &sql_chat_open_free,
		ARGS(chat->message, chat->attachments, chat->origin, ticket, worker_id()));

	if (rows == NULL)
		return UNOPENED;
	if (db_true(rows, 0, "must_hold"))
		return MUST_HOLD;
	chat->mode = "chat";
	chat->prompt = "";
	chat->setup = provider_of_server(chat->config);
	take_ticket(chat, rows, ticket);
	return OPENED;
}

/* In binary: a long history comes as it is. */
static PGresult *open_by(struct chat *chat, const struct stmt *stmt, const char *const *args, int n_args)
{
	struct db_call call = {.stmt = stmt, .args = args, .n_args = n_args, .binary = true};

	return db_run_in(chat->scratch, chat->task, &call, 1) < 0 ? NULL : call.rows;
}

/* A visitor's question: which workspace is asked and how, the embed says. */
static enum opening open_visit(struct chat *chat, const char *ticket)
{
	struct task *task = chat->task;
	PGresult *rows = open_by(chat, &sql_embed_open,
		ARGS(task->identity.embed, chat->message, chat->session, chat->visitor, ticket, worker_id()));

	if (rows == NULL)
		return UNOPENED;
	if (PQntuples(rows) == 0)
		return fail(task, 404, "embed_unknown", "There is no such chat.");
	if (db_true(rows, 0, "must_hold"))
		return MUST_HOLD;
	read_opened(chat, rows);
	take_ticket(chat, rows, ticket);
	chat->opened = rows;
	return OPENED;
}

static enum opening open_in_workspace(struct chat *chat, const char *ticket)
{
	struct task *task = chat->task;
	PGresult *rows = open_by(chat, &sql_chat_open,
		ARGS(chat->slug, chat->message, chat->mode, chat->session, chat->attachments, chat->origin, ticket,
			worker_id(), chat->thread, chat->act_as, db_bool_arg(chat->given == NULL)));

	if (rows == NULL)
		return UNOPENED;
	if (PQntuples(rows) == 0)
		return workspace_unknown(task, chat->slug);
	if (db_true(rows, 0, "must_hold"))
		return MUST_HOLD;
	if (!db_true(rows, 0, "thread_found"))
		return thread_unknown(task, chat->thread);
	read_opened(chat, rows);
	take_ticket(chat, rows, ticket);
	chat->opened = rows;
	return OPENED;
}

static enum opening open_once(struct chat *chat, const char *ticket)
{
	return chat->visitor != NULL ? open_visit(chat, ticket)
	       : chat->slug == NULL  ? open_free(chat, ticket)
				     : open_in_workspace(chat, ticket);
}

/* Who has limits takes a place under them first; whether that is so, the first call of the database tells. */
static int open_held(struct chat *chat, const char *ticket)
{
	enum opening opening = chat->task->identity.limited ? MUST_HOLD : open_once(chat, ticket);

	if (opening != MUST_HOLD)
		return opening;
	if (limit_hold(chat->task, ticket, strlen(chat->message)) < 0)
		return -1;
	chat->held = ticket;
	opening = open_once(chat, ticket);
	/* Limits that were set between the two: without a place nobody asks a model. */
	return opening == MUST_HOLD
		       ? fail(chat->task, 503, "database_conflict", "Too many changed this at once; try again.")
		       : (int)opening;
}

/* Should the database's word be lost, or memory run out, the chat may be on record or not. */
int opening_make(struct chat *chat)
{
	const char *ticket = secret_new_uuid(chat->task->arena);
	int result;

	chat->doubt = settle_unless_known(chat->task->arena, ticket);
	result = open_held(chat, ticket);
	if (result < 0 && chat->task->failure.status != 503)
		settle_known(chat->doubt);
	return result;
}

int opening_provider(struct chat *chat)
{
	PGresult *rows = chat->opened;
	const char *wanted, *name, *sealed;

	if (rows == NULL)
		return 0;
	wanted = db_text(rows, 0, "chat_provider");
	name = keep(chat, rows, "provider_name");
	sealed = db_text(rows, 0, "provider_key");
	chat->setup = provider_of_server(chat->config);
	if (name == NULL && (wanted == NULL || strcmp(wanted, chat->setup.name) == 0))
		return 0;
	if (name == NULL)
		return fail_field(chat->task, 502, "upstream_missing", "chatProvider",
			"The workspace's provider %s is not configured.", wanted);
	chat->setup = (struct provider_setup){.provider = &provider_openai,
		.name = name,
		.url = keep(chat, rows, "provider_url"),
		.model = keep(chat, rows, "provider_model"),
		.context_tokens = (int)db_int(rows, 0, "provider_context"),
		.guarded = true};
	if (sealed == NULL)
		return 0;
	chat->setup.key = secret_unseal(chat->task->arena, sealed,
		arena_printf(chat->task->arena, "%lld %s %s", (long long)chat->task->identity.tenant_id, name,
			chat->setup.url));
	if (chat->setup.key != NULL)
		return 0;
	log_event(LOG_ERROR, chat->task, "secret",
		"provider=%s problem=\"its key cannot be unsealed; is secret.file the one it was sealed with?\"", name);
	return fail(chat->task, 502, "upstream_sealed", "The key of the provider %s cannot be read.", name);
}
