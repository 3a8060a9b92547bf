/* SPDX-License-Identifier: ISC */
#include "core/worker_id.h"

#include <stdio.h>

#include "store/secret.h"

static char name[WORKER_ID_TEXT];

void worker_id_new(char id[WORKER_ID_TEXT], const char *parent)
{
	char uuid[UUID_TEXT];

	secret_uuid(uuid);
	snprintf(id, WORKER_ID_TEXT, "%.250s/%s", parent, uuid);
}

void worker_id_take(const char *id)
{
	snprintf(name, sizeof(name), "%s", id);
}

const char *worker_id(void)
{
	return name;
}
