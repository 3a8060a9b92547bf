/* SPDX-License-Identifier: ISC
 * Texts become vectors, by a model behind an API: OpenAI's /embeddings, or Ollama's /api/embed. */
#ifndef EXEDRA_LLM_EMBED_H
#define EXEDRA_LLM_EMBED_H

#include "base/config.h"
#include "base/task.h"

/* An embedder as configured: the server's (exedra.conf), or a row of a tenant. */
struct embed_setup {
	const char *provider; /* its name */
	bool ollama;          /* spoken to as Ollama; else as OpenAI */
	const char *url;      /* base URL with its /v1 */
	const char *key;      /* NULL: none */
	const char *model;
	int dimensions; /* asked for; 0: the model's own */
	bool guarded;   /* its address is not the operator's: only public addresses, or listed ones */
};

struct embed_call {
	struct task *task;
	const struct config *config;
	const struct embed_setup *setup;
	const char *const *texts; /* valid UTF-8, none of them empty */
	int n_texts;
	bool tokens;         /* the texts are JSON arrays of tokens' numbers, which only OpenAI's API takes */
	bool question;       /* somebody waits: it may take 10 seconds at most */
	bool answer;         /* they are the answer itself: for a client that has gone none are made */
	struct arena *arena; /* of the vectors */

	/* What came. */
	int dimension;
	float *vectors;   /* a text's behind the other's, in their order, each of length 1 */
	int64_t n_tokens; /* as the provider counted; -1 where it did not */
};

/* The server's embedder; false when there is none.  Lives as long as the config. */
bool embed_of_server(const struct config *, struct embed_setup *);
/* Ask for the vectors of all texts, in batches.  -1 with a reason embed_... in the task. */
int embed_texts(struct embed_call *);

#endif
