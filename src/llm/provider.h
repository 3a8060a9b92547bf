/* SPDX-License-Identifier: ISC
 * What answers: a model behind an API, or `quote`, which needs none. */
#ifndef EXEDRA_PROVIDER_H
#define EXEDRA_PROVIDER_H

#include "base/config.h"
#include "base/str.h"
#include "base/task.h"

/* A passage that was found for the question. */
struct passage {
	const char *source; /* JSON, as clients see it */
	const char *title;
	const char *text;
	double score;
};

struct llm_message {
	const char *role;           /* system, user, assistant */
	const char *content;
	const char *const *images;  /* URLs or data URLs, NULL at the end; NULL = none */
};

struct llm_call {
	struct task *task;
	const struct config *config;
	const char *model;
	const struct llm_message *messages;
	int n_messages;
	const double *temperature;  /* NULL: the model's own */
	const struct passage *passages; /* for quote */
	int n_passages;
	const char *nothing_found;  /* for quote: what it says without a passage */

	/* Each returns 0 to go on and -1 to stop; text is valid UTF-8 without NUL. */
	int (*on_text)(void *arg, const char *text, size_t len);
	int (*on_silence)(void *arg);
	bool (*gone)(void *arg);
	void *arg;

	/* What came of it. */
	bool finished;              /* the model said it had come to its end */
	bool stopped;               /* the client has gone: no failure */
	const char *finish_reason;  /* stop, length ...; a literal */
	int64_t prompt_tokens, completion_tokens; /* -1: the provider gave no count */
};

struct provider {
	const char *name;
	/* 0 with the outcome in the call, or -1 with the reason in the task. */
	int (*complete)(struct llm_call *);
};

extern const struct provider provider_quote, provider_openai;

/* Who answers when a workspace does not say: the server's provider, else quote. */
const struct provider *provider_default(const struct config *);

#endif
