/* SPDX-License-Identifier: ISC
 * What a chat of Open WebUI's API has beside OpenAI's: parameters in an object of their own, files to be answered from,
 * and sources told by what was asked for (contract/openwebui.md section 5). */
#ifndef EXEDRA_OPENWEBUI_ITEMS_H
#define EXEDRA_OPENWEBUI_ITEMS_H

#include "core/chat.h"
#include "web/request.h"

/* Make the members of `params` members of the body.  -1 with a 422 in the task. */
int openwebui_take_params(struct request *);
/* Read `files` into the chat's items, for those that the caller may see; the others are passed over.  -1 with the
 * reason in the task. */
int openwebui_read_items(struct request *, struct chat *);

#endif
