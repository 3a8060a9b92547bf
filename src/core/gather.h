/* SPDX-License-Identifier: ISC
 * A chat's second step: what its question is answered from. */
#ifndef EXEDRA_GATHER_H
#define EXEDRA_GATHER_H

#include "core/chat.h"

/* Pinned documents and those that came along, then what is found in the workspace, then what earlier answers were based
 * on: chat->passages.  Where query mode finds nothing the chat has its end: the refusal.  0, or -1 with the reason in
 * the task. */
int gather_passages(struct chat *);

#endif
