/* SPDX-License-Identifier: ISC
 * Outcomes of chats that could not be stored because the database was away: kept in memory and tried again, so that no
 * row stays open and what a model has said is not lost. */
#ifndef EXEDRA_SETTLE_H
#define EXEDRA_SETTLE_H

#include <stdbool.h>

#include "base/arena.h"

struct doubt;

/* Keep copies of the parameters of sql/chat/close.sql.  When too much is kept already the answer is left out; false
 * when there is no memory even for the rest. */
bool settle_later(const char *const *args, int n_args);
/* Before a chat is put on record: when the arena is emptied and nobody has said settle_known() by then, whatever has
 * come between, the chat is ended, if it is there. */
struct doubt *settle_unless_known(struct arena *, const char *ticket);
/* Nothing is on record, or how it ended is, or settle_later() has it. */
void settle_known(struct doubt *);
/* Once a second: try again. */
void settle_tick(void);

#endif
