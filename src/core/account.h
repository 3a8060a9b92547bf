/* SPDX-License-Identifier: ISC
 * What may be said of an account, checked as AnythingLLM checks it. */
#ifndef EXEDRA_ACCOUNT_H
#define EXEDRA_ACCOUNT_H

#include <json-c/json.h>

#include "base/task.h"

struct account_wish {
	const char *username, *password, *bio; /* NULL: not said; the password is hashed */
	int role;                              /* 0: not said */
	int suspended;                         /* -1: not said */
	int daily_limit;                       /* 0: no limit; -1: not said */
};

/* Read the members of a body; all that are wrong are told in order, the first one.  `creating`: username and password
 * are needed.  -1 with a 400 (user_refused) in the task. */
int account_read(struct task *, struct json_object *body, bool creating, struct account_wish *);
/* As columns for sql/user/update.sql. */
const char *account_columns(struct arena *, const struct account_wish *);

#endif
