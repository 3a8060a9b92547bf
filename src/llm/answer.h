/* SPDX-License-Identifier: ISC
 * An answer of OpenAI's form, chunk by chunk or whole, read and given on to who asked. */
#ifndef EXEDRA_ANSWER_H
#define EXEDRA_ANSWER_H

#include "base/utf8.h"
#include "llm/provider.h"
#include "llm/tools.h"

enum { ANSWER_MOST = 16 << 20 }; /* bytes of text; more is cut with finish reason length */

/* What has come so far. */
struct answer {
	struct llm_call *call;
	struct arena *small; /* emptied after each piece */
	struct tools tools;
	struct utf8_stream clean;
	struct str *text; /* one delta, cleaned */
	size_t said;      /* bytes that were given on */
	bool chosen;      /* a choice has come, whatever stood in it */
	int64_t number;   /* which one is the answer */
	bool finished;    /* the model said it had come to its end */
	bool failed;      /* an error came; the reason is in the task, or: */
	int refused;      /* it came before anything else, and is a refusal with this status; 0: it is not */
	bool too_long;    /* an error says that the prompt does not fit the model's window */
};

enum { ANSWER_INVALID = -2 };

void answer_open(struct answer *, struct llm_call *);
/* Forget what does not outlast a try of which nothing was given on. */
void answer_begin(struct answer *);
/* Take a chunk of a stream, or a whole answer, as JSON.  0; ANSWER_INVALID when it is none; -1 when nothing more is
 * wanted: it has failed, has been stopped, or was too long. */
int answer_take(struct answer *, const char *text, size_t len);
/* Take what the provider calls an error, whatever stands in it; always -1. */
int answer_take_error(struct answer *, const char *text, size_t len);
/* Take an error that came with a status of its own: its type and code are logged. */
void answer_take_refusal(struct answer *, const char *text, size_t len);
/* It has come to its end. */
void answer_end(struct answer *);

#endif
