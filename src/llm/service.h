/* SPDX-License-Identifier: ISC
 * Services beside chats and vectors, behind an API as OpenAI and others have it: a call, and the answer as it came.
 * Recordings are transcribed by one, passages ranked by another. */
#ifndef EXEDRA_SERVICE_H
#define EXEDRA_SERVICE_H

#include <sys/types.h>

#include "base/config.h"
#include "base/str.h"
#include "base/task.h"

/* A service as configured: the server's (exedra.conf), or a row of a tenant. */
struct service_setup {
	const char *provider; /* its name */
	const char *url;      /* base URL with its /v1 */
	const char *key;      /* NULL: none */
	const char *model;
	bool guarded; /* its address is not the operator's: only public addresses, or listed ones */
};

struct service_call {
	struct task *task;
	const struct config *config;
	const struct service_setup *setup;
	const char *path; /* behind the base URL */
	const char *type; /* of the body */
	const char *body; /* NULL: `send` gives it, as in base/http.h */
	size_t body_len;
	ssize_t (*send)(void *arg, size_t at, char *to, size_t room);
	void *arg;
	int timeout_s;       /* for all tries together */
	size_t most;         /* bytes of an answer */
	bool waits;          /* where all slots of the provider are taken; else that is a failure */
	struct arena *arena; /* of the answer */

	/* What came: of a 200 only. */
	struct str *answer;
	const char *answer_type; /* lower case, without parameters; "" = not said */
};

/* The server's own: false when there is none.  Live as long as the config. */
bool service_of_transcription(const struct config *, struct service_setup *);
bool service_of_ranking(const struct config *, struct service_setup *);
/* Ask, and once more where the first try came to nothing.  -1 with a reason service_... in the task. */
int service_ask(struct service_call *);

#endif
