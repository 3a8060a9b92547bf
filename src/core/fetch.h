/* SPDX-License-Identifier: ISC
 * Pages and files at addresses that somebody supplies, fetched through the guard (base/outbound.h). */
#ifndef EXEDRA_FETCH_H
#define EXEDRA_FETCH_H

#include "base/config.h"
#include "base/url.h"
#include "core/file.h"

/* The address that a person wrote, as it may be fetched: https unless it says otherwise, no slash at the end.  -1 with
 * a 422 in the task: no http, credentials in it, a port that is not permitted. */
int fetch_read_url(struct task *, const struct config *, const char *text, struct url *);
/* Fetch it into `file`: its bytes, what its name may be, its type as the server says.  Up to five redirects are
 * followed, each checked like the first address; `headers` ("Name: value", NULL at the end) go no further than its
 * server.  -1 with the reason in the task: 422 with a code link_..., 429 when the tenant has too many under way, and
 * what a key that is not good is: nothing is fetched for it. */
int fetch_url(struct task *, const struct config *, const struct url *, const char *const *headers, struct file *);

#endif
