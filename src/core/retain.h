/* SPDX-License-Identifier: ISC
 * How long things are kept: chats, visitors' chats, the ledger and events, each so many days by the tenant's setting or
 * the server's.  What is older goes in batches, a short transaction each; an interruption leaves what the next look
 * finds. */
#ifndef EXEDRA_RETAIN_H
#define EXEDRA_RETAIN_H

#include "base/config.h"
#include "base/task.h"

/* Upkeep: have tenants looked through that have something too old, and delete what deleted tenants have left. */
void retain_sweep(const struct config *);

/* The kind "retain"; its subject is the chat behind which to look. */
int retain_job(struct task *, const struct config *, const char *chat);
void retain_job_failed(struct task *, const struct config *, const char *chat, const char *reason);

#endif
