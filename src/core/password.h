/* SPDX-License-Identifier: ISC
 * Passwords, one after the other.  Each takes 19 MiB and a core while it is hashed, and whoever has no key yet may ask
 * for any number of them at once. */
#ifndef EXEDRA_PASSWORD_H
#define EXEDRA_PASSWORD_H

#include "base/task.h"

/* How many may wait in this process.  Set once, before the first. */
void password_limit(int most);
/* Is this the password that was stored so?  As secret_password_fits(); -1 with a 503 in the task when too many wait. */
int password_fits(struct task *, const char *stored, const char *password);
/* As it is to be stored; the task's.  NULL with a 503 in the task when too many wait. */
const char *password_hash(struct task *, const char *password);

#endif
