/* SPDX-License-Identifier: ISC
 * Statements of exedractl: one after the other on one connection; what PostgreSQL has against one goes to standard
 * error. */
#ifndef EXEDRA_CTL_RUN_H
#define EXEDRA_CTL_RUN_H

#include <libpq-fe.h>

#include "store/stmt.h"

/* The rows, which are the caller's, or NULL when it failed and the reason is told. */
PGresult *run(PGconn *, const struct stmt *, const char *const *args);
/* The same where rows do not matter: 0 or -1. */
int run_simple(PGconn *, const struct stmt *, const char *const *args);
/* Tell why this result is none, or the connection broken.  Returns 1, the status to exit with. */
int fail_with(PGconn *, const PGresult *);

#endif
