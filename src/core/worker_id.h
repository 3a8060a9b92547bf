/* SPDX-License-Identifier: ISC
 * The name of this worker process in the rows of open chats. */
#ifndef EXEDRA_WORKER_ID_H
#define EXEDRA_WORKER_ID_H

/* A uuid made once a process: after the fork, before the first request. */
void worker_id_make(void);
const char *worker_id(void);

#endif
