/* SPDX-License-Identifier: ISC
 * What answers: a model behind an API, or `quote`, which needs none. */
#ifndef EXEDRA_PROVIDER_H
#define EXEDRA_PROVIDER_H

#include "base/config.h"
#include "base/str.h"
#include "base/task.h"

struct llm_call;
struct tools;

/* A kind of provider: how it is spoken to. */
struct provider {
	const char *kind;
	/* 0 with the outcome in the call, or -1 with the reason in the task. */
	int (*complete)(struct llm_call *);
};

extern const struct provider provider_quote, provider_openai;

/* A provider as configured: the server's (exedra.conf), or a row of a tenant. */
struct provider_setup {
	const struct provider *provider;
	const char *name;
	const char *url;   /* base URL with its /v1, no slash at the end */
	const char *key;   /* NULL: none */
	const char *model; /* when a workspace names none; may be NULL */
	int context_tokens;
	bool guarded; /* its address is not the operator's: only public addresses, or listed ones */
};

/* A well-known service, so that a name is enough. */
struct provider_preset {
	const char *name, *url;
};
const struct provider_preset *provider_preset(const char *name);

/* The server's provider: llm.url, or quote when there is none.  Lives as long as the config. */
struct provider_setup provider_of_server(const struct config *);

/* A passage that was found for the question. */
struct passage {
	const char *source; /* JSON, as clients see it */
	const char *title;
	const char *text;
	const char *cited;    /* the text under the header that clients and models see */
	const char *id;       /* uuid */
	const char *metadata; /* of its document: JSON, as a vector search shows it */
	double score;         /* 0 .. 1 */
	double distance;      /* 1 - cosine, where its vector was compared */
	bool compared;
	int64_t document_id; /* 0: of no document */
	/* Where passages are told by what they were asked for (core/attach.h). */
	int item;           /* 0: found in the workspace; N: in the Nth item of the chat */
	bool whole;         /* not found, but a whole text, or its beginning */
	const char *origin; /* the name of its file */
	const char *meta;   /* JSON: what readers of Open WebUI's API see of it */
};

struct llm_message {
	const char *role;          /* system, user, assistant, tool */
	const char *content;       /* its text: what is counted, and sent when there is no `raw` */
	const char *const *images; /* URLs or data URLs, NULL at the end; NULL = none */
	const char *raw;           /* the whole message as JSON, passed on as it came; NULL = made from the rest */
};

/* Tokens of a text, where nobody counts them: bytes / 4, rounded up. */
int64_t llm_tokens(size_t bytes);

/* Tokens as the provider counted them; -1 where it did not. */
struct llm_usage {
	int64_t prompt_tokens, completion_tokens;
	int64_t cached_tokens, reasoning_tokens; /* of the one, of the other */
};
#define LLM_UNCOUNTED ((struct llm_usage){-1, -1, -1, -1})

/* What a piece of an answer is. */
enum llm_kind { LLM_TEXT, LLM_REASONING, LLM_REFUSAL };

struct llm_call {
	struct task *task;
	const struct config *config;
	const struct provider_setup *setup;
	const char *model;
	const struct llm_message *messages;
	int n_messages;
	const double *temperature;      /* NULL: the model's own */
	const char *parameters;         /* more members of the request, each as `,"name":value`; "" = none */
	bool has_tools;                 /* `parameters` offers tools */
	const struct passage *passages; /* for quote */
	int n_passages;
	const char *nothing_found; /* for quote: what it says without a passage */

	/* Each returns 0 to go on and -1 to stop; text is valid UTF-8 without NUL. */
	int (*on_text)(void *arg, const char *text, size_t len, enum llm_kind);
	int (*on_tool_calls)(void *arg, const char *json, size_t len); /* an array of clean pieces (llm/tools.h) */
	int (*on_silence)(void *arg);
	bool (*gone)(void *arg);
	void (*on_asked)(void *arg); /* the messages are not needed any more: their memory may be given back */
	void *arg;

	/* What came of it. */
	bool stopped;              /* a callback said stop, or the client has gone: no failure */
	const char *finish_reason; /* stop, length ...; a literal */
	const struct tools *tools; /* calls that were told; NULL: none could come */
	struct llm_usage usage;
};

#endif
