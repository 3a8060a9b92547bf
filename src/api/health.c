/* SPDX-License-Identifier: ISC */
#include "api/api.h"
#include "store/db.h"
#include "web/reply.h"

int health_ping(struct request *req)
{
	return reply_json_text(req, 200, "{\"online\":true}");
}

int health_live(struct request *req)
{
	return reply_json_text(req, 200, "{\"live\":true}");
}

int health_ready(struct request *req)
{
	if (db_rows(&req->task, &sql_session_check, ARGS(db_int_arg(req->task.arena, DB_SCHEMA_VERSION))) == NULL)
		return -1;
	return reply_json_text(req, 200, "{\"ready\":true}");
}
