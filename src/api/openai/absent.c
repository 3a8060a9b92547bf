/* SPDX-License-Identifier: ISC
 * What OpenAI's API has and nothing here serves: the row says so, with what to do instead. */
#include "api/api.h"
#include "store/db.h"

int openai_absent(struct request *req)
{
	if (db_enter(&req->task) < 0)
		return -1;
	return fail(&req->task, 501, "not_implemented", "%s", req->route->description);
}
