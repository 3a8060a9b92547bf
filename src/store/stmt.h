/* SPDX-License-Identifier: ISC
 * A statement of sql/<noun>/<verb>.sql, built in by sql/embed.awk as sql_<noun>_<verb>. */
#ifndef EXEDRA_STMT_H
#define EXEDRA_STMT_H

#include <stdbool.h>

struct stmt {
	const char *name; /* <noun>_<verb>; also its name as a prepared statement */
	int id;           /* 0 .. N_STATEMENTS - 1 */
	int n_params;
	bool shares; /* may stand in one transaction with those of other requests */
	bool notes;  /* writes an event (sql/function/43-audit.sql) */
	const char *text;
};

#endif
