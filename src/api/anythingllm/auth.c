/* SPDX-License-Identifier: ISC */
#include "api/api.h"
#include "store/db.h"
#include "web/reply.h"

int anythingllm_auth(struct request *req)
{
	if (db_enter(&req->task) < 0)
		return -1;
	return reply_json_text(req, 200, "{\"authenticated\":true}");
}
