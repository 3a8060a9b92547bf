/* SPDX-License-Identifier: ISC
 * Models: the workspaces that the caller sees, and the model that the server has configured. */
#include <string.h>

#include "api/api.h"
#include "llm/provider.h"
#include "store/db.h"
#include "web/reply.h"

/* The server's own model as an entry; NULL when there is none. */
static const char *server_model(struct request *req, const struct provider_setup *setup)
{
	struct str *out;

	if (setup->provider == &provider_quote || setup->model == NULL || req->route->form == FORM_NATIVE_OPENAI)
		return NULL;
	out = str_new(req->task.arena);
	str_puts(out, "{\"id\":");
	str_json_text(out, setup->model);
	str_puts(out, ",\"object\":\"model\",\"created\":0,\"owned_by\":");
	str_json_text(out, setup->name);
	str_puts(out, ",\"name\":");
	str_json_text(out, setup->model);
	str_puts(out,
		",\"description\":null,\"connection_type\":\"external\",\"actions\":[],\"filters\":[],\"tags\":[]}");
	return out->at;
}

int openai_model_list(struct request *req)
{
	struct provider_setup setup = provider_of_server(req->config);
	const char *own = server_model(req, &setup), *members;
	PGresult *rows = db_rows(&req->task, &sql_model_list, ARGS(setup.name));

	if (rows == NULL)
		return -1;
	members = PQgetisnull(rows, 0, 0) ? "" : PQgetvalue(rows, 0, 0);
	/* Open WebUI's list is no object of a kind. */
	return reply_json_printf(req, 200, "{%s\"data\":[%s%s%s]}",
		req->route->form == FORM_DETAIL ? "" : "\"object\":\"list\",", members,
		*members != '\0' && own != NULL ? "," : "", own == NULL ? "" : own);
}

int openai_model_show(struct request *req)
{
	struct provider_setup setup = provider_of_server(req->config);
	const char *id = request_param(req, "id"), *own = server_model(req, &setup);
	PGresult *rows = db_rows(&req->task, &sql_model_show, ARGS(setup.name, id));

	if (rows == NULL)
		return -1;
	if (PQntuples(rows) == 1)
		return reply_json_text(req, 200, PQgetvalue(rows, 0, 0));
	if (own != NULL && strcmp(id, setup.model) == 0)
		return reply_json_text(req, 200, own);
	return fail_field(&req->task, 404, "model_unknown", "model", "The model '%s' does not exist", id);
}
