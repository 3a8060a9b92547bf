/* SPDX-License-Identifier: ISC
 * Which service transcribes or ranks for whom: the database decides (sql/function/85-service.sql), the settings say
 * what the server's own is. */
#ifndef EXEDRA_OFFER_H
#define EXEDRA_OFFER_H

#include <libpq-fe.h>

#include "base/config.h"
#include "base/task.h"
#include "llm/service.h"

/* The server's own, as statements take it. */
struct own_service {
	struct service_setup setup;
	const char *provider, *model; /* NULL: there is none */
};

struct own_service offer_own_transcription(const struct config *);
struct own_service offer_own_ranking(const struct config *);
/* Out of a row of an exedra.service_setup; lives as long as the rows.  1; 0 when nobody does it; -1 with the reason in
 * the task when it cannot be called. */
int offer_read(struct task *, PGresult *, const struct own_service *, struct service_setup *);

/* The key of a tenant's own provider, sealed under its name and address.  -1 when it cannot be unsealed: that stands in
 * the log then. */
int offer_unseal(struct task *, const char *provider, const char *url, const char *sealed, const char **key);

#endif
