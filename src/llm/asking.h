/* SPDX-License-Identifier: ISC
 * Asking a provider by HTTP: the tries, and what is told when all came to nothing.  Models, embedders and other
 * services are asked in the same way; a kind says what is different. */
#ifndef EXEDRA_ASKING_H
#define EXEDRA_ASKING_H

#include "base/config.h"
#include "base/http.h"
#include "base/metrics.h"
#include "base/str.h"

/* The codes of its failures, as exedra-api(7) lists them. */
struct asking_codes {
	const char *unreachable, *forbidden, *timeout, *cut, *invalid, *refused, *model, *busy, *unavailable, *error;
};
#define ASKING_CODES(name)                                                                                             \
	{                                                                                                              \
		name "_unreachable", name "_forbidden", name "_timeout", name "_cut", name "_invalid",                 \
			name "_refused", name "_model", name "_busy", name "_unavailable", name "_error"               \
	}

struct asking_kind {
	struct asking_codes codes;
	const char *noun;   /* in messages: The embedder */
	const char *given;  /* what it may refuse: the text */
	int refused_status; /* ours, when it did */
	int tries;
	int pause_ms; /* before the second try; twice that before the third */
	enum metrics_call call;
};

struct asking {
	struct task *task;
	const struct config *config;
	const struct asking_kind *kind;
	const char *provider; /* its name */
	bool guarded;         /* its address is not the operator's: only public addresses, or listed ones */
	/* Where, what, and who is told of silence and of a client that goes (with the asking as their argument); the
	 * time-outs, where there is no deadline. */
	struct http_call http;
	int64_t deadline_ms; /* clock_ms(), for all tries together; 0: none */
	struct str *answer;  /* where an answer is put together */
	size_t most;         /* bytes of it */

	/* Instead of putting it together, all three: told before each try; takes what comes, as in base/http.h; whether
	 * something has come that forbids another try. */
	void (*begin)(struct asking *);
	int (*data)(struct asking *, const char *bytes, size_t len);
	bool (*spent)(const struct asking *);

	int name;         /* of the provider, among the metrics */
	int64_t asked_us; /* 0: something has come */
	bool too_long;
};

/* An address below a base URL, which may end with slashes, or with a query, as gateways have (?api-version=...). */
const char *asking_url(struct arena *, const char *base, const char *path);
/* The header that carries a key; NULL where there is none. */
const char *asking_key(struct arena *, const char *key);
/* Ask; again where that makes sense: only before the first byte of an answer, and within the deadline.  What became of
 * the last try stands in asking->http. */
void asking_run(struct asking *);
/* As http.gone, where nobody wants the answer but the task's client. */
bool asking_gone(void *asking);
/* Is the status that of an answer?  Not 200 alone: some gateways say 201, since that is what a POST makes. */
bool asking_well(const struct http_call *);
/* 0 when an answer has come whole; else -1 with the reason in the task. */
int asking_judge(const struct asking *);
/* The provider has refused with this status; -1. */
int asking_refused(const struct asking *, int status);
/* What came is no answer; -1. */
int asking_invalid(const struct asking *);
/* Count a failure that stands in the task; always -1. */
int asking_failed(const struct task *, const struct asking_kind *, const char *provider);

#endif
