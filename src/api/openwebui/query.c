/* SPDX-License-Identifier: ISC */
#include "api/openwebui/query.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_MOST = 1000000 };

const char *openwebui_pattern(struct arena *arena, const char *wildcard, bool inside)
{
	struct str *pattern;

	if (wildcard == NULL)
		return NULL;
	pattern = str_new(arena);
	str_puts(pattern, inside ? "%" : "");
	for (; *wildcard != '\0'; wildcard++) {
		if (strchr("%_\\", *wildcard) != NULL)
			str_putc(pattern, '\\');
		str_putc(pattern, *wildcard == '*' ? '%' : *wildcard == '?' ? '_' : *wildcard);
	}
	str_puts(pattern, inside ? "%" : "");
	return pattern->at;
}

int64_t openwebui_number(struct request *req, const char *name, int64_t preset, int64_t most)
{
	const char *text = request_query(req, name);
	int64_t n;

	if (text == NULL || *text == '\0' || text[strspn(text, "0123456789")] != '\0')
		return preset;
	n = strtoll(text, NULL, 10);
	return n > most ? most : n;
}

int64_t openwebui_page(struct request *req)
{
	int64_t page = openwebui_number(req, "page", 1, PAGE_MOST);

	return page < 1 ? 0 : (page - 1) * OPENWEBUI_PAGE;
}

static bool among(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcasecmp(text, *words) == 0)
			return true;
	return false;
}

int openwebui_flag(struct request *req, const char *name, bool *value)
{
	static const char *const yes[] = {"true", "1", "on", "t", "y", "yes", NULL};
	static const char *const no[] = {"false", "0", "off", "f", "n", "no", NULL};
	const char *text = request_query(req, name);

	if (text == NULL)
		return 0;
	if (!among(text, yes) && !among(text, no))
		return fail_field(&req->task, 422, "field_type", arena_printf(req->task.arena, "query.%s", name),
			"Input should be a valid boolean, unable to interpret input");
	*value = among(text, yes);
	return 0;
}
