/* SPDX-License-Identifier: ISC
 * What a client of Open WebUI asks before anything else. */
#include "api/api.h"
#include "config.h"
#include "web/limits.h"
#include "web/reply.h"

/* The version whose routes these are: clients compare it. */
#define SPOKEN "0.8.8"

int openwebui_version(struct request *req)
{
	return reply_json_text(req, 200, "{\"version\":\"" SPOKEN "\",\"deployment_id\":\"\"}");
}

/* Where the row needs the database, the dispatcher has asked it. */
int openwebui_health(struct request *req)
{
	return reply_json_text(req, 200, "{\"status\":true}");
}

int openwebui_config(struct request *req)
{
	return reply_json_printf(req, 200,
		"{\"status\":true,\"name\":\"Exedra\",\"version\":\"" SPOKEN
		"\",\"default_locale\":\"\",\"oauth\":{\"providers\":{}},"
		"\"features\":{\"auth\":true,\"auth_trusted_header\":false,\"enable_signup_password_confirmation\":"
		"false,"
		"\"enable_ldap\":false,\"enable_api_keys\":true,\"enable_signup\":false,\"enable_login_form\":true,"
		"\"enable_websocket\":false,\"enable_version_update_check\":false,\"enable_public_active_users_count\":"
		"false,"
		"\"enable_easter_eggs\":false},\"file\":{\"max_size\":%d,\"max_count\":null}}",
		LIMIT_UPLOAD_MIB);
}
