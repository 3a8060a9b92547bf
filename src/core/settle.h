/* SPDX-License-Identifier: ISC
 * Outcomes of chats that could not be stored because the database was away: kept in memory and tried again, so that no
 * row stays open and what a model has said is not lost. */
#ifndef EXEDRA_SETTLE_H
#define EXEDRA_SETTLE_H

/* Keep copies of the parameters of sql/chat/close.sql.  When too much is kept already the answer is left out, then the
 * whole: such a row is ended when this worker has ended. */
void settle_later(const char *const *args, int n_args);
/* A chat may or may not have been opened: the connection was lost before the database's word came.  End it, if it is there. */
void settle_ticket(const char *ticket);
/* Once a second: try again. */
void settle_tick(void);

#endif
