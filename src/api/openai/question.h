/* SPDX-License-Identifier: ISC
 * What a chat completion asks: the body of the request, read and checked. */
#ifndef EXEDRA_QUESTION_H
#define EXEDRA_QUESTION_H

#include "core/chat.h"
#include "web/request.h"
#include "web/stream.h"

struct completion {
	struct request *req;
	struct chat chat;
	struct stream stream;
	struct str *event;
	struct str *content, *reasoning, *refusal; /* of an answer that is no stream */
	const char *head;                          /* the members that every chunk begins with */
	bool streamed, include_usage, role_sent;
	bool native; /* under /v1/openai: AnythingLLM's members too */
	bool webui;  /* as Open WebUI has it: sources by item, in the first frame */
};

/* Fill c->chat from the body, and *model with the name that was asked for.  -1 with the reason in the task. */
int question_read(struct completion *, const char **model);
/* After a chat that could not be opened: tell an unknown workspace as an unknown model.  Returns -1. */
int question_unknown(struct completion *, const char *model);

#endif
