/* SPDX-License-Identifier: ISC
 * What the published API has and nothing here serves: it is said, with the setting that is missing. */
#include <ctype.h>
#include <string.h>

#include "api/api.h"
#include "store/db.h"

/* ^[a-z]+-<36 of hexadecimal digits and dashes>\.\w+$ in either case. */
static bool is_generated_name(const char *name)
{
	size_t letters = 0, id, ending = 0;

	while (isalpha((unsigned char)name[letters]))
		letters++;
	if (letters == 0 || name[letters] != '-')
		return false;
	name += letters + 1;
	id = strspn(name, "0123456789abcdefABCDEF-");
	if (id != 36 || name[id] != '.')
		return false;
	name += id + 1;
	while (isalnum((unsigned char)name[ending]) || name[ending] == '_')
		ending++;
	return ending > 0 && name[ending] == '\0';
}

int anythingllm_generated_file(struct request *req)
{
	if (!is_generated_name(request_param(req, "filename")))
		return fail(&req->task, 400, "filename_refused", "Invalid filename format");
	if (db_enter(&req->task) < 0)
		return -1;
	return fail(&req->task, 501, "agent_missing", "No agent makes files here: agentProvider is not set.");
}

int anythingllm_image_generate(struct request *req)
{
	if (db_enter(&req->task) < 0)
		return -1;
	return fail(
		&req->task, 501, "image_missing", "No provider makes images here: ImageGenerationProvider is not set.");
}
