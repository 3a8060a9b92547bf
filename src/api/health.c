/* SPDX-License-Identifier: ISC */
#include "api/api.h"
#include "web/reply.h"

int health_ping(struct request *req)
{
	return reply_json_text(req, 200, "{\"online\":true}");
}

int health_live(struct request *req)
{
	return reply_json_text(req, 200, "{\"live\":true}");
}

/* The dispatcher has asked the database. */
int health_ready(struct request *req)
{
	return reply_json_text(req, 200, "{\"ready\":true}");
}
