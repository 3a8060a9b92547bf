/* SPDX-License-Identifier: ISC
 * The name of this worker process in the rows of open chats: node/pool/uuid. */
#ifndef EXEDRA_WORKER_ID_H
#define EXEDRA_WORKER_ID_H

enum { WORKER_ID_TEXT = 300 };

/* A fresh name under `parent` (a node for a pool, a pool for a worker): made by the master, so that it can tell who has
 * died. */
void worker_id_new(char id[WORKER_ID_TEXT], const char *parent);
/* In the worker: this is its name. */
void worker_id_take(const char *id);
const char *worker_id(void);

#endif
