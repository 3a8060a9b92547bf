/* SPDX-License-Identifier: ISC
 * What stands in an answer beside its text, or in a chunk of one: how it ended, what was counted, that something went
 * wrong.  Each service has words and places of its own for these. */
#ifndef EXEDRA_REMARKS_H
#define EXEDRA_REMARKS_H

#include <json-c/json.h>

#include "llm/provider.h"

enum remark_end {
	REMARK_GOES_ON, /* nothing is said, or nothing that means an end */
	REMARK_ENDED,
	REMARK_FAILED, /* it broke off, and this is how the provider says so */
};

/* What a choice says of its end; with REMARK_ENDED *reason is the literal that OpenAI's clients know for it. */
enum remark_end remark_finish(struct json_object *choice, const char **reason);
/* The error that an answer or a choice tells; NULL: none.  The provider's words: not for clients. */
struct json_object *remark_error(struct json_object *from);
/* Does it say that the prompt is longer than the model's window? */
bool remark_too_long(struct json_object *error);
/* Take over what was counted; what is not said here stays as it was. */
void remark_usage(struct json_object *answer, struct llm_usage *);

#endif
