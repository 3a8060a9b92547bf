/* SPDX-License-Identifier: ISC
 * The open chats of this process: what has come of their answers is kept, and what a suspended key, a deleted workspace
 * or a dead worker means for them. */
#ifndef EXEDRA_WATCH_H
#define EXEDRA_WATCH_H

#include "core/chat.h"

/* Run a provider's call with the chat on the list of those that can be stopped from outside. */
int watch_during(struct chat *, int (*complete)(struct llm_call *), struct llm_call *);

/* The chat's answer so far is worth storing: it is copied, and stored with the next tick. */
void watch_keep(struct chat *);
/* There is no upkeep in this process (CGI): watch_keep() does what watch_tick() does. */
void watch_alone(void);

/* Once a second: store what has come of answers; ask the database which open chats are to end, and end them. */
void watch_tick(void);
/* Stop all open chats: the worker's time to drain is over. */
void watch_stop_all(void);

/* End the open chats of a worker that is gone, or one chat, named by its ticket in the worker's place; or, without
 * either (NULL), those of all pools of a node but one.  -1 when the database would not. */
int watch_bury(const char *worker, const char *node, const char *pool);

/* End what CGI processes have left that cannot be at work any more (llm.timeout.total). */
void watch_sweep(const struct config *);

#endif
