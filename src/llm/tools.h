/* SPDX-License-Identifier: ISC
 * Calls of tools, as providers send them, made into what OpenAI's clients read: the first piece of a call has its
 * index, id, type and name, the others have its index and more of its arguments.  Providers number their calls anew in
 * each chunk or not at all, repeat names and ids in every piece or leave them out, and send arguments as an object. */
#ifndef EXEDRA_TOOLS_H
#define EXEDRA_TOOLS_H

#include <json-c/json.h>

#include "base/str.h"

enum { TOOLS_MOST = 128 }; /* calls in one answer; what is beyond is left out */

struct tool_call;

/* The calls of one answer so far. */
struct tools {
	struct arena *arena; /* of what has to be known from one piece to the next */
	struct tool_call *calls;
	int n;
	int n_told; /* of which a name is known, and so a piece has gone out */
};

/* Append the pieces of a list to a JSON array of clean ones, which must stand open in `out`: "[", or with pieces behind
 * it.  What is no piece of a call is left out. */
void tools_take(struct tools *, struct json_object *list, struct str *out);
/* The calls as they are in the end: a JSON array, in the arena. */
const char *tools_whole(const struct tools *, struct arena *);
/* Bytes that a model has said in them: names and arguments. */
size_t tools_bytes(const struct tools *);

#endif
