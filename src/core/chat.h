/* SPDX-License-Identifier: ISC
 * A chat, in every dialect the same four steps: open (the question is on record), retrieve, complete, close (the answer
 * is on record); only then may a client believe that the reply is complete. */
#ifndef EXEDRA_CHAT_H
#define EXEDRA_CHAT_H

#include "base/config.h"
#include "base/str.h"
#include "base/task.h"
#include "core/embed.h"
#include "llm/provider.h"

struct chat;
struct document;
struct open_chat;

/* How a dialect tells its client what happens.  Each returns 0, or -1 when the client has gone. */
struct chat_sink {
	int (*text)(struct chat *, const char *text, size_t len); /* a piece of the answer, as it comes */
	/* Reasoning.  NULL: it is told as text between <think> and </think>, as it is stored. */
	int (*reasoning)(struct chat *, const char *text, size_t len);
	/* The model's own refusal to answer.  NULL: it is told as text, as it is stored. */
	int (*refusal)(struct chat *, const char *text, size_t len);
	/* Pieces of calls of tools, a JSON array.  NULL: the dialect has none. */
	int (*tool_calls)(struct chat *, const char *json, size_t len);
	int (*silence)(struct chat *); /* the model has been quiet for a while */
	bool (*gone)(struct chat *);   /* asked when the task's gone_fd stirs */
};

enum chat_end {
	CHAT_OPEN,
	CHAT_ANSWERED,
	CHAT_REFUSED, /* query mode, and nothing was found: chat.answer is the refusal */
	CHAT_EMPTY,   /* the model ended without a word */
	CHAT_STOPPED, /* the client went; what came is stored */
	CHAT_FAILED,  /* the reason is in the task; what came is stored as stopped, nothing as failed */
};

/* Something to answer a question from, beside the documents of its workspace: documents, or a text. */
struct chat_item {
	const char *told;               /* JSON: how the client called it; NULL: nothing of it is told */
	const char *name;               /* for the model; NULL: what each file is called */
	const char *text;               /* the text; NULL: documents */
	const char *workspaces, *files; /* their ids, which the caller may see, as arrays of SQL */
	bool whole;                     /* all that they say, where it fits; else what answers the question */
};

/* A question that was asked before, and its answer. */
struct exchange {
	const char *question, *answer;
	const char *attachments; /* JSON array */
};

struct chat {
	/* The question. */
	struct task *task;
	const struct config *config;
	const char *slug;   /* of the workspace; NULL: straight to a model */
	const char *thread; /* slug, or NULL */
	const char *message;
	const char *mode;          /* NULL: the workspace's */
	const char *session;       /* sessionId, or NULL */
	const char *act_as;        /* an account's id as text, or NULL */
	const char *attachments;   /* JSON array, as it came */
	const char *const *images; /* URLs out of it, NULL at the end; NULL = none */
	const char *visitor;       /* JSON: asked in the embed of the identity, slug is not used; NULL: it is not */
	const char *model_asked;   /* replaces the workspace's model; NULL: does not */
	const char *origin;        /* which door it came through: api, openai ... */
	/* A conversation that the caller brought along, its last message the question; NULL: the stored history. */
	const struct llm_message *given;
	int n_given;
	const struct chat_item *items; /* what it brings along to be answered from */
	int n_items;
	const struct document *carried; /* documents that it brings along, read for this answer; core/carry.h */
	int n_carried;
	bool numbered;             /* the model is shown passages by number, before the question, not in its prompt */
	const char *system;        /* replaces the workspace's prompt; NULL: does not */
	const double *temperature; /* replaces the workspace's; NULL: does not */
	const char *parameters;    /* for the model, as llm_call has them */
	bool has_tools;
	const struct chat_sink *sink;
	void *dialect; /* the sink's own */

	/* What opening it found. */
	int64_t id;
	int64_t workspace_id;
	const char *workspace_name, *prompt, *refusal, *account_name, *account_bio, *provider_name;
	const struct exchange *earlier; /* the stored history, the newest first; dies with `scratch` */
	int n_earlier;
	double workspace_temperature;
	int top_n;
	double threshold;
	bool has_passages, has_pinned;
	struct provider_setup setup;
	struct arena *scratch; /* memory until the model has been asked: history, messages */
	size_t prompt_bytes;   /* of all that the model is shown */
	void *opened;          /* the row all this stands in; for opening.c and chat.c only */
	const char *held;      /* the ticket under which it has a place under limits (core/limit.h); NULL: none */

	/* What was found, and what came of it. */
	/* The cited ones: documents that are pinned or came along, whole (n_pinned), then what was found; then those
	 * that only the model is shown. */
	const struct passage *passages;
	int n_passages, n_cited, n_pinned;
	struct embed_asked asked; /* vectors of the question */
	const char *model;
	struct llm_call call;
	struct str *answer; /* as it is stored */
	bool thinking;      /* the answer is inside <think> */
	bool called;        /* the model has called a tool: call.tools */
	enum chat_end end;
	const char *reason;  /* of a failure: its code */
	struct doubt *doubt; /* until it is known how it ended; for outcome.c and opening.c only */
	bool charged;        /* it stands in the ledger, or will */
	bool closing;        /* the database has been told how it ended, whether it has heard or not */
	bool stored;         /* the outcome stands in the database */
	bool refused_early;  /* the workspace has no passage at all */
	const char *sources; /* JSON array */
	const char *metrics; /* JSON object */
	int64_t started_ms, kept_ms;
	struct open_chat *watched; /* for watch.c only */
};

/* Go through all four steps.  0 when there is an answer, a refusal, an empty completion, or the client has gone (see
 * end); -1 with the reason in the task.  From a failure after chat_run() has opened the chat, chat.id is not 0. */
int chat_run(struct chat *);

#endif
