/* SPDX-License-Identifier: ISC
 * AnythingLLM's settings, which it keeps in its environment: the keys of GET /v1/system and POST /v1/system/update-env,
 * and what of a tenant's each stands for. */
#ifndef EXEDRA_ENV_H
#define EXEDRA_ENV_H

#include <stdbool.h>

#include "base/arena.h"

/* How GET /v1/system shows a key. */
enum env_shown {
	SHOWN_ELSEWHERE,    /* not here: in the general block, or nowhere */
	SHOWN_SET,          /* whether there is one */
	SHOWN_SET_OR_NULL,  /* true or null */
	SHOWN_TEXT,         /* left out when there is none */
	SHOWN_TEXT_OR_NULL, /* null when there is none */
	SHOWN_PRESET,       /* the preset when there is none */
};

/* What a value must be, in the original's words. */
enum env_check {
	CHECK_NOTHING,
	CHECK_SOME,
	CHECK_NUMBER,
	CHECK_CONTEXT,
	CHECK_CONTEXT_OR_NONE, /* empty: as if it had never been said */
	CHECK_DIMENSIONS,
	CHECK_URL,
	CHECK_V1_URL,   /* with a /v1 */
	CHECK_BARE_URL, /* without a slash at its end */
	CHECK_OPENAI_KEY,
	CHECK_LLM,
	CHECK_ENGINE,
	CHECK_VECTOR,
};

enum env_sets {
	SETS_NOTHING, /* no key of update-env: passed over */
	SETS_NEVER,
	SETS_ABSENT, /* what it is for there is not here */
	SETS_KEY,    /* of the service: its provider's row */
	SETS_MODEL,
	SETS_URL,
	SETS_CONTEXT,
	SETS_LLM, /* which provider is preferred */
	SETS_ENGINE,
	SETS_EMBED_MODEL,
	SETS_EMBED_DIMENSIONS,
	SETS_EMBED_URL,
	SETS_CHUNK,
	SETS_PROMPT,
	SETS_TELEMETRY,
	SETS_VECTOR,
};

struct env_key {
	const char *name;
	enum env_shown shown;
	const char *preset; /* JSON */
	enum env_check check;
	enum env_sets sets;
	const char *service; /* the name of the provider's row */
};

/* The row without a name ends it. */
extern const struct env_key env_keys[];

/* By the API's name, or the one in the environment; NULL for a name that is none. */
const struct env_key *env_find(const char *name);
/* NULL when the key may have the value, else why not; the text belongs to the arena. */
const char *env_check(struct arena *, const struct env_key *, const char *value);
/* The base URL of an OpenAI-compatible API that a service's address (NULL: none was named) stands for; NULL when there
 * is no telling. */
const char *env_service_url(struct arena *, const char *service, const char *address);
/* Can a provider of this name be spoken to? */
bool env_service(const char *service);

#endif
