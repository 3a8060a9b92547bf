/* SPDX-License-Identifier: ISC */
#include "core/worker_id.h"

#include "store/secret.h"

static char id[UUID_TEXT];

void worker_id_make(void)
{
	secret_uuid(id);
}

const char *worker_id(void)
{
	return id;
}
