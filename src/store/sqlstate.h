/* SPDX-License-Identifier: ISC
 * What PostgreSQL's error codes mean for a caller. */
#ifndef EXEDRA_SQLSTATE_H
#define EXEDRA_SQLSTATE_H

#include "base/task.h"

/* Note the failure of a statement in the task.  Class EX carries a status of ours and, in `primary`, the code. */
void sqlstate_fail(struct task *, const char *sqlstate, const char *primary, const char *detail, const char *stmt_name);
/* The same for a database that does not keep tenants apart: it does not pass by waiting. */
void sqlstate_fail_setup(struct task *);
/* May the same transaction succeed when it is simply run again?  (serialization failure, deadlock) */
bool sqlstate_retriable(const char *sqlstate);
/* Have the connection's prepared statements gone stale?  (invalid statement name, changed result type) */
bool sqlstate_stale(const char *sqlstate);

#endif
