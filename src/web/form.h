/* SPDX-License-Identifier: ISC
 * How a failure looks on the wire: the one place where errors are dressed. */
#ifndef EXEDRA_FORM_H
#define EXEDRA_FORM_H

#include "web/request.h"

/* Answer with the task's failure in the row's form (FORM_ERROR when there is no row). */
void form_reply(struct request *);
/* The same of a want of memory, without any. */
void form_reply_bare(struct request *);

#endif
