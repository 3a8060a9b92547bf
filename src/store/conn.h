/* SPDX-License-Identifier: ISC
 * One connection to the database, in libpq's pipeline mode. */
#ifndef EXEDRA_CONN_H
#define EXEDRA_CONN_H

#include <libpq-fe.h>

#include "base/config.h"
#include "base/task.h"

struct conn {
	PGconn *pg;
	struct conn *next;       /* in the pool's free list */
	unsigned char *prepared; /* per statement id: it has been prepared, or is about to be in what is queued */
	bool broken;             /* not to be used again */
	bool shared;             /* taken by who would share it */
};

/* Connect, and prepare the session.  NULL when that fails, or when nothing would keep tenants apart there; the log says
 * why, and the task when it is not only the connection. */
struct conn *conn_open(struct task *, const struct config *, int64_t deadline_ms);
void conn_free(struct conn *);
/* Does one that has been idle look as if its server were still there? */
bool conn_alive(struct conn *);

/* The next result, waiting until the deadline (clock_ms()); *late is set when that has passed or the connection is
 * gone. NULL is also what ends each statement's results. */
PGresult *conn_result(struct conn *, int64_t deadline_ms, bool *late);
/* Push out what is queued; -1 when the connection is gone or the deadline has passed. */
int conn_flush(struct conn *, int64_t deadline_ms);

#endif
