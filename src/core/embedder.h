/* SPDX-License-Identifier: ISC
 * Which embedder serves whom: the database decides (sql/function/80-embed.sql), the settings say what the server's own
 * is. */
#ifndef EXEDRA_EMBEDDER_H
#define EXEDRA_EMBEDDER_H

#include <libpq-fe.h>

#include "base/config.h"
#include "base/task.h"
#include "llm/embed.h"

/* The server's own, as the settings name it and as statements take it. */
struct own_embedder {
	struct embed_setup setup;
	const char *provider, *model, *dimensions; /* NULL: there is none */
};

/* An embedder as the database names it. */
struct embedder {
	const char *id; /* NULL: it has no row yet */
	int dimension;  /* of its vectors; 0: not known yet */
	struct embed_setup setup;
};

struct own_embedder embedder_own(struct arena *, const struct config *);
/* Out of a row that holds an exedra.embedder_setup; lives as long as the rows.  1; 0 when there is none; -1 with the
 * reason in the task when it cannot be called. */
int embedder_read(struct task *, PGresult *, const struct own_embedder *, struct embedder *);
/* The embedder for a workspace by its slug; any other name, or NULL: the tenant's.  0; -1 with the reason in the task:
 * 501 when there is none. */
int embedder_choose(struct task *, const struct config *, const char *slug, struct embed_setup *);

#endif
